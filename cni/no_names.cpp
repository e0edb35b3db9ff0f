// The static program would carry glibc's resolver, and warn of it at each link, for functions of
// libnl that print addresses and protocols by name. Nothing here does: a name is never looked up.
#include <cstdlib>

#include <netdb.h>

extern "C" {

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_FAIL; }
void freeaddrinfo(addrinfo*) {}
protoent* getprotobyname(const char*) { return nullptr; }
protoent* getprotobynumber(int) { return nullptr; }

}  // extern "C"

// The C++ library's own one prints the name of the exception's type, for which it carries a
// demangler of 40 KB. What is not caught here is a lack of memory.
namespace __gnu_cxx {                                 // NOLINT(bugprone-reserved-identifier)
void __verbose_terminate_handler() { std::abort(); }  // NOLINT(bugprone-reserved-identifier)
}  // namespace __gnu_cxx

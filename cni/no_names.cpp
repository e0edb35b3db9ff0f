// What a static program would carry of glibc, and be a third larger for, because of functions of
// libnl that nothing here calls, or whose answer it does not read.
#include <cstdio>
#include <cstdlib>

#include <netdb.h>

extern "C" {

// The resolver, for addresses and protocols by name: no name is ever looked up.
int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_FAIL; }
void freeaddrinfo(addrinfo*) {}
int getnameinfo(const sockaddr*, socklen_t, char*, socklen_t, char*, socklen_t, int) {
  return EAI_FAIL;
}
protoent* getprotobyname(const char*) { return nullptr; }
protoent* getprotobynumber(int) { return nullptr; }

// scanf's readers of all kinds of numbers, for addresses as text, and for the clock of traffic
// control, which libnl asks /proc for as it is loaded and has a default for. By the names that
// glibc's headers give them, older and newer ones.
// NOLINTBEGIN(bugprone-reserved-identifier)
int __isoc99_sscanf(const char*, const char*, ...) { return EOF; }
int __isoc23_sscanf(const char*, const char*, ...) { return EOF; }
int __isoc99_fscanf(FILE*, const char*, ...) { return EOF; }
int __isoc23_fscanf(FILE*, const char*, ...) { return EOF; }
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"

// The C++ library's own one prints the name of the exception's type, for which it carries a
// demangler of 40 KB. What is not caught here is a lack of memory.
namespace __gnu_cxx {                                 // NOLINT(bugprone-reserved-identifier)
void __verbose_terminate_handler() { std::abort(); }  // NOLINT(bugprone-reserved-identifier)
}  // namespace __gnu_cxx

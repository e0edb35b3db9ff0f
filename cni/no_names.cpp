// The static program would carry glibc's resolver, and warn of it at each link, for functions of
// libnl that print addresses and protocols by name. Nothing here does: a name is never looked up.
#include <netdb.h>

extern "C" {

int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_FAIL; }
void freeaddrinfo(addrinfo*) {}
protoent* getprotobyname(const char*) { return nullptr; }
protoent* getprotobynumber(int) { return nullptr; }

}  // extern "C"

// What a static program would carry of glibc, and be half as large again for, because of functions
// of libnl and of the C++ library that nothing here calls, or whose answer it does not read.
#include <cstdio>
#include <cstdlib>

#include <locale.h>
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

// Messages in other languages: the program speaks one, and never calls setlocale(). Where they
// would come from, files are looked for, mapped and converted.
char* gettext(const char* message) { return const_cast<char*>(message); }
char* dcgettext(const char*, const char* message, int) { return const_cast<char*>(message); }
char* __dcgettext(const char*, const char* message, int) { return const_cast<char*>(message); }
locale_t newlocale(int, const char*, locale_t) { return nullptr; }
void freelocale(locale_t) {}

// Character sets, of which streams of wide characters (there are none) would load more from shared
// libraries, and look for letters that are like those a set has not: by the names of glibc's
// iconv/gconv_int.h. The answers are "there is none" and __GCONV_ILLEGAL_INPUT.
void* __gconv_find_shlib(const char*) { return nullptr; }
void __gconv_release_shlib(void*) {}
int __gconv_transliterate(void*, void*, const unsigned char*, const unsigned char**,
                          const unsigned char*, unsigned char**, size_t*) {
  return 6;
}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"

// The C++ library's own one prints the name of the exception's type, for which it carries a
// demangler of 40 KB. What is not caught here is a lack of memory.
namespace __gnu_cxx {                                 // NOLINT(bugprone-reserved-identifier)
void __verbose_terminate_handler() { std::abort(); }  // NOLINT(bugprone-reserved-identifier)
}  // namespace __gnu_cxx

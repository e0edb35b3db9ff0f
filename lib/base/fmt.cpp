// fmt, compiled once and not in each file: Debian has no archive of it, which the static CNI
// program needs, and its header-only form takes a third of each file's compile time. Asked for here
// is what its headers declare and do not define.
#ifndef FMT_HEADER_ONLY  // as it is with a later fmt (CMakeLists.txt)
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template FMT_API auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char*, const char*);

}  // namespace detail
FMT_END_NAMESPACE

#endif

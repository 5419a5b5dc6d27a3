#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace muster {

template <class Signature>
class FunctionRef;

/// A view of a callable for the length of one call: two words, never allocates, never outlives its argument.
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_r_v<R, F&, Args...>)
    FunctionRef(F&& callable)  // NOLINT(google-explicit-constructor): meant to be made in place of an argument
        : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
          call_([](void* object, Args... args) -> R {
              return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
          }) {}

    R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
    void* object_;
    R (*call_)(void*, Args...);
};

}  // namespace muster

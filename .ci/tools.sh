# What `make run` and `make test` need, found or installed. POSIX sh, sourced from the top folder.
#
# Needed: a C++ compiler, make, cmake and libclang (for llama.cpp), Rust, python3 with pip (for the
# default model). As root, what is missing comes from the system's package manager. For anybody else
# cmake and libclang come as Python wheels into .tools/, and the rest is named with the way to get it.

RUST_MINOR=89 # rust-version in Cargo.toml
TOOLS=$PWD/.tools

say() { printf 'tokenscope: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- package managers -------------------------------------------------------------------------

# The package manager of this system.
system() {
    for name in brew apt-get dnf yum apk pacman zypper; do
        if have "$name"; then echo "$name"; return; fi
    done
    return 1
}

# The same, if it may be used: Homebrew wants an ordinary user, the others want root.
manager() {
    if have brew || [ "$(id -u 2>/dev/null)" = 0 ]; then system; else return 1; fi
}

# package NEED: what the manager at hand calls it.
package() {
    case "$(system):$1" in
        apt-get:compiler) echo "g++ libc6-dev" ;;
        apt-get:libclang) echo libclang-dev ;;
        apt-get:pip) echo "python3 python3-pip" ;;
        dnf:compiler | yum:compiler) echo gcc-c++ ;;
        dnf:libclang | yum:libclang | zypper:libclang) echo clang-devel ;;
        dnf:pip | yum:pip | zypper:pip) echo "python3 python3-pip" ;;
        apk:compiler) echo "g++ musl-dev linux-headers" ;;
        apk:libclang) echo clang-dev ;;
        apk:pip) echo "python3 py3-pip" ;;
        pacman:compiler) echo gcc ;;
        pacman:libclang) echo clang ;;
        pacman:pip) echo "python python-pip" ;;
        zypper:compiler) echo gcc-c++ ;;
        brew:compiler) echo gcc ;;
        brew:libclang) echo llvm ;;
        brew:pip) echo python3 ;;
        *:rust) case "$(system)" in brew) echo rust ;; *) echo "rust cargo" ;; esac ;;
        *) echo "$1" ;;
    esac
}

# from_system NEED: with the package manager; fails where there is none to use.
from_system() {
    with=$(manager) || return 1
    packages=$(package "$1")
    say "installing $packages with $with"
    # shellcheck disable=SC2086 # several packages are several words
    case "$with" in
        apt-get)
            [ -n "$UPDATED" ] || apt-get update -qq || return 1
            UPDATED=yes
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages
            ;;
        dnf | yum) "$with" install -q -y $packages ;;
        apk) apk add -q $packages ;;
        pacman) pacman -Sy --noconfirm --needed $packages ;;
        zypper) zypper -q install -y $packages ;;
        brew) brew install -q $packages ;;
    esac >/dev/null
}

# from_wheel NEED: a Python wheel into .tools/. --target is allowed where the system's Python is not to be
# changed (PEP 668), and needs no virtual environment.
from_wheel() {
    pip=$(pip_command) || return 1
    say "fetching the Python wheel of $1 into .tools/"
    $pip install -q --disable-pip-version-check --target "$TOOLS" --upgrade "$1" >&2
}

pip_command() {
    for command in "python3 -m pip" pip3 pip; do
        if $command --version >/dev/null 2>&1; then echo "$command"; return; fi
    done
    return 1
}

# --- the tools --------------------------------------------------------------------------------

# Where clang-sys (which bindgen uses) will find it too.
find_libclang() {
    for folder in "$LIBCLANG_PATH" /usr/lib/llvm*/lib /usr/lib /usr/lib64 /usr/lib/*-linux-gnu* /usr/local/lib \
        /opt/homebrew/opt/llvm/lib /usr/local/opt/llvm/lib /Library/Developer/CommandLineTools/usr/lib \
        /usr/lib64/llvm*/lib; do
        for file in "$folder"/libclang.so* "$folder"/libclang-*.so* "$folder"/libclang.dylib; do
            case "$file" in */libclang-cpp.*) continue ;; esac # clang's C++ interface, another library
            if [ -n "$folder" ] && [ -e "$file" ]; then return 0; fi
        done
    done
    return 1
}

# Takes cmake and libclang from the private folder where the system has none.
use_private_tools() {
    if [ -x "$TOOLS/cmake/data/bin/cmake" ] && ! have cmake; then
        PATH=$TOOLS/cmake/data/bin:$PATH
    fi
    export PATH
    if [ -e "$TOOLS/clang/native/libclang.so" ] && ! find_libclang; then
        export LIBCLANG_PATH="$TOOLS/clang/native"
    fi
}

# libclang without clang's own headers (the wheel has none) can use those of the compiler.
use_compiler_headers() {
    headers=$(cc -print-file-name=include 2>/dev/null)
    if ! find_clang_headers && [ -e "$headers/stddef.h" ]; then
        export BINDGEN_EXTRA_CLANG_ARGS="-I$headers"
    fi
}

find_clang_headers() {
    for file in /usr/lib*/clang/*/include/stddef.h /usr/lib*/llvm*/lib*/clang/*/include/stddef.h; do
        if [ -e "$file" ]; then return 0; fi
    done
    [ "$(uname)" = Darwin ]
}

# Whether the Rust at hand is new enough; RUST_FOUND says which it is.
check_rust() {
    RUST_FOUND=$(cargo --version >/dev/null 2>&1 && rustc --version 2>/dev/null)
    RUST_FOUND=${RUST_FOUND#rustc } # rustc 1.95.0 (59807616e 2026-04-14)
    RUST_FOUND=${RUST_FOUND%% *}
    minor=${RUST_FOUND#1.}
    minor=${minor%%.*}
    [ "${minor:-0}" -ge "$RUST_MINOR" ] 2>/dev/null
}

# Debian's and Ubuntu's Rust is usually too old; it is only installed if it will do.
rust_from_system() {
    if [ "$(manager)" = apt-get ]; then
        [ -n "$UPDATED" ] || apt-get update -qq >/dev/null
        UPDATED=yes
        offered=$(apt-cache policy rustc 2>/dev/null | sed -n 's/.*Candidate: 1\.\([0-9]*\).*/\1/p')
        [ "${offered:-0}" -ge "$RUST_MINOR" ] || return 1
        say "installing rustc cargo with apt-get"
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends rustc cargo >/dev/null
    else
        from_system rust
    fi
}

# lack NEED WHAT: notes what is missing and what the system calls it.
lack() {
    MISSING="$MISSING, $2"
    PACKAGES="$PACKAGES $(package "$1")"
}

# Sees to everything; says all that is missing at once and fails if anything is.
prepare() {
    MISSING= PACKAGES=
    if [ -d "$HOME/.cargo/bin" ]; then PATH=$PATH:$HOME/.cargo/bin; fi
    { have c++ && have cc; } || from_system compiler || lack compiler "a C++ compiler"
    have make || from_system make || lack make make
    pip_command >/dev/null || from_system pip || PACKAGES="$PACKAGES $(package pip)"
    use_private_tools
    have cmake || from_system cmake || from_wheel cmake || lack cmake cmake
    find_libclang || from_system libclang || from_wheel libclang || lack libclang libclang
    use_private_tools
    use_compiler_headers
    if [ -n "$MISSING" ]; then
        say "missing: ${MISSING#, }; as root: $(system || echo "your package manager") install$PACKAGES"
    fi
    check_rust || { rust_from_system && check_rust; } || {
        say "Rust 1.$RUST_MINOR or newer is needed$(rust_advice)"
        return 1
    }
    [ -z "$MISSING" ]
}

rust_advice() {
    if [ -n "$RUST_FOUND" ]; then printf ', here is %s' "$RUST_FOUND"; fi
    if have rustup; then
        printf ': rustup update stable && rustup default stable'
        return
    fi
    if [ "$(system)" = apt-get ]; then printf ", and this distribution's is older"; fi
    printf ': see https://rustup.rs (curl https://sh.rustup.rs -sSf | sh)'
}

# --- what make does ---------------------------------------------------------------------------

build() {
    if [ ! -x target/release/tokenscope ]; then
        say "building; the first time compiles llama.cpp and takes about 4 to 10 minutes"
    fi
    cargo build --release --locked
}

# fetch_model [ARGUMENT...]: the default model, unless a chat is to have arguments of its own.
fetch_model() {
    [ $# -gt 0 ] || [ -n "$TOKENSCOPE_TEST_MODEL" ] || target/release/tokenscope models pull >&2
}

# A component that is not installed is named and left out.
lint() {
    if cargo fmt --version >/dev/null 2>&1; then
        cargo fmt --check || return 1
    else
        say "rustfmt is missing, formatting is not checked: rustup component add rustfmt"
    fi
    if cargo clippy --version >/dev/null 2>&1; then
        cargo clippy --release --locked --all-targets -- -D warnings
    else
        say "clippy is missing, lints are not checked: rustup component add clippy"
    fi
}

#!/usr/bin/env bash
# install-targets.sh [musl] [windows] [wine]     (no argument: musl windows)
# install-targets.sh remove                      (takes away what this script made; Debian's packages stay)
#
# Gives Debian 12 a Rust toolchain with the standard library of
#   x86_64-unknown-linux-musl (static) and x86_64-pc-windows-gnu (mingw-w64)
# where `rustup target add` can't be used: it reaches Debian's packages and the Rust registry only.
#   - Debian's rustc-web/cargo-web/clippy/rustfmt, and rust-web-src, the library's sources of that same version;
#   - builds the library as Rust's own bootstrap does (profile "dist") and lays it in
#     /usr/lib/rustlib/TARGET/lib, which is what a rust-std component is: no -Z flag afterwards;
#   - musl: adds self-contained/ (musl's crt files and libc.a, gcc's crtbegin/crtend, LLVM's libunwind.a),
#     so that rustc links static binaries with plain `cc`, and panics unwind;
#   - windows: rustc links with Debian's x86_64-w64-mingw32-gcc;
#   - wine: wine64, and PREFIX/wine/wine-run, which runs an .exe (or `cmd /c x.bat`) without a display. Wine 8
#     lacks bcryptprimitives.dll, which Rust's and Go's programs need: a stand-in is built for its system32.
#     (cargo test: CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=/opt/rust-cross/wine/wine-run)
# Use:   cargo +cross build --target x86_64-unknown-linux-musl        (a linked rustup toolchain)
#   or:  PATH=/opt/rust-cross/bin:$PATH cargo build --target ...      (without rustup; with it, use +cross:
#        `cargo clippy` and `cargo fmt` would start rustup's, which cargo looks for in ~/.cargo/bin first)
# Idempotent: a target whose stamp matches the compiler is left alone. Needs root.
# Environment: CROSS_NAME (cross), CROSS_PREFIX (/opt/rust-cross).
set -euo pipefail

NAME=${CROSS_NAME:-cross} PREFIX=${CROSS_PREFIX:-/opt/rust-cross} REV=2
RUSTLIB=/usr/lib/rustlib
MUSL=x86_64-unknown-linux-musl WIN=x86_64-pc-windows-gnu
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l

say() { printf 'install-targets: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

musl='' windows='' wine=''
[ $# -gt 0 ] || set -- musl windows
for a in "$@"; do
    case $a in
        musl) musl=1 ;;
        windows) windows=1 ;;
        wine) wine=1 ;;
        remove)
            for t in $MUSL $WIN; do
                if [ -e "$RUSTLIB/$t/.install-targets" ]; then rm -rf "${RUSTLIB:?}/$t"; fi
            done
            if command -v rustup >/dev/null; then rustup toolchain uninstall "$NAME" || true; fi
            rm -rf "$PREFIX"
            exit 0 ;;
        *) die "unknown argument '$a' (musl, windows, wine, remove)" ;;
    esac
done
[ "$(id -u)" = 0 ] || die "needs root (apt-get, $RUSTLIB)"
mkdir -p "$PREFIX"
exec 9>"$PREFIX/.lock"; flock 9
W=$(mktemp -d /tmp/install-targets.XXXXXX); trap 'rm -rf "$W"' EXIT

# --- Debian's packages ---
have() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]; }
version() { dpkg-query -W -f='${Version}' "$1"; }
apt_get() { apt-get -qq -o DPkg::Lock::Timeout=900 -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 "$@" </dev/null >>"$W/apt.log" 2>&1 9>&-; }
updated=''
update() { [ -n "$updated" ] || apt_get update || { tail -5 "$W/apt.log" >&2; die "apt-get update failed"; }; updated=1; }
need() {
    local p miss=()
    for p in "$@"; do have "$p" || miss+=("$p"); done
    [ ${#miss[@]} -gt 0 ] || return 0
    say "apt-get install ${miss[*]}"
    apt_get install -y --no-install-recommends "${miss[@]}" && return 0
    update
    apt_get install -y --no-install-recommends "${miss[@]}" || { tail -20 "$W/apt.log" >&2; die "apt-get install failed"; }
}
# shellcheck disable=SC2046
need rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web gcc libc6-dev \
    $([ -z "$musl" ] || echo musl-tools) \
    $([ -z "$windows$wine" ] || echo gcc-mingw-w64-x86-64-win32) \
    $([ -z "$wine" ] || echo wine wine64)
[ "$(version rustc-web)" = "$(version rust-web-src)" ] || die "rustc-web and rust-web-src differ in version"

# --- the toolchain's folder, for rustup and for PATH ---
mkdir -p "$PREFIX/bin" "$PREFIX/lib"
ln -sfn $RUSTLIB "$PREFIX/lib/rustlib"
for b in rustc rustdoc cargo cargo-clippy clippy-driver cargo-fmt rustfmt; do ln -sfn "/usr/bin/$b" "$PREFIX/bin/$b"; done
if command -v rustup >/dev/null &&
    [ "$(readlink -f "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$NAME" || true)" != "$(readlink -f "$PREFIX")" ]; then
    rustup toolchain link "$NAME" "$PREFIX"
fi

# --- the standard library ---
stamp() { printf 'rev %s\nrustc-web %s\n' "$REV" "$(version rustc-web)"; if [ "$1" = "$MUSL" ]; then printf 'musl-dev %s\n' "$(version musl-dev)"; fi; }
todo=()
for t in ${musl:+$MUSL} ${windows:+$WIN}; do
    if [ "$(cat "$RUSTLIB/$t/.install-targets" 2>/dev/null)" = "$(stamp "$t")" ]; then
        say "$t: up to date"
    elif [ -e "$RUSTLIB/$t" ] && [ ! -e "$RUSTLIB/$t/.install-targets" ]; then
        die "$RUSTLIB/$t is there already, and not this script's"
    else
        todo+=("$t")
    fi
done

if [ ${#todo[@]} -gt 0 ]; then
    say "building the standard library for ${todo[*]}"
    # The same library, byte for byte, wherever it is built: a kept target/ of a project still fits after a rebuild.
    src=${CARGO_HOME:-$HOME/.cargo}/registry/src
    # A working folder of its own: no .cargo/config.toml of a project is in effect.
    (cd "$W" && env -u CARGO_BUILD_TARGET -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WORKSPACE_WRAPPER -u CARGO_INCREMENTAL \
        RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTC_WRAPPER='' \
        RUSTFLAGS="-Zforce-unstable-if-unmarked --remap-path-prefix=$src=/rust/deps --remap-path-prefix=$W=/rust/build" \
        CARGO_TARGET_DIR="$W/target" CARGO_PROFILE_DIST_DEBUG=0 \
        /usr/bin/cargo build -q --locked --profile dist --features panic-unwind,backtrace \
        --manifest-path "$RUSTLIB/src/rust/library/sysroot/Cargo.toml" "${todo[@]/#/--target=}" 9>&-) ||
        die "building the standard library failed"
fi

libunwind() { # libunwind.a for musl, from LLVM's package, unpacked only: installed, it conflicts with libunwind-dev
    local p
    p=$(apt-cache pkgnames libunwind- | grep -E '^libunwind-[0-9]+-dev$' | sort -V | tail -1)
    (cd "$W" && { apt_get download "$p" || { update; apt_get download "$p"; }; } && dpkg-deb -x "$p"_*.deb unwind) ||
        { tail -5 "$W/apt.log" >&2; die "no libunwind-N-dev from apt"; }
    cp "$W"/unwind/usr/lib/x86_64-linux-gnu/libunwind.a "$1"
    # It was built against glibc with _FORTIFY_SOURCE: this is the one symbol that musl hasn't.
    cat >"$W/fortify.c" <<'C'
#include <stdarg.h>
#include <stdio.h>
int __fprintf_chk(FILE *f, int flag, const char *fmt, ...)
{
    va_list ap;
    (void)flag;
    va_start(ap, fmt);
    int r = vfprintf(f, fmt, ap);
    va_end(ap);
    return r;
}
C
    musl-gcc -O2 -fPIC -c -o "$W/fortify.o" "$W/fortify.c" && ar r "$1" "$W/fortify.o" 2>/dev/null
}

for t in "${todo[@]}"; do
    n=$RUSTLIB/$t.new
    rm -rf "$n"; mkdir -p "$n/lib"
    cp "$W/target/$t/dist/deps/"*.rlib "$n/lib/"
    rm -f "$n"/lib/libsysroot-*.rlib
    if [ "$t" = $MUSL ]; then
        s=$n/lib/self-contained; mkdir "$s"
        m=/usr/lib/x86_64-linux-musl g=$(dirname "$(gcc -print-libgcc-file-name)")
        cp $m/{Scrt1,rcrt1,crt1,crti,crtn}.o $m/libc.a "$g"/crt{begin,beginS,end,endS}.o "$s/"
        libunwind "$s/libunwind.a"
    fi
    stamp "$t" >"$n/.install-targets"
    rm -rf "${RUSTLIB:?}/$t"; mv "$n" "$RUSTLIB/$t"
done

# --- wine ---
if [ -n "$wine" ]; then
    d=$PREFIX/wine; mkdir -p "$d"
    if [ ! -e "$d/bcryptprimitives.dll" ]; then
        cat >"$W/prng.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n)
{
    while (n) {
        ULONG k = n > 0x40000000 ? 0x40000000 : (ULONG)n;
        if (!SystemFunction036(p, k))
            return FALSE;
        p += k;
        n -= k;
    }
    return TRUE;
}
C
        x86_64-w64-mingw32-gcc -O2 -s -shared -o "$d/bcryptprimitives.dll" "$W/prng.c" -ladvapi32
    fi
    cat >"$d/wine-run" <<SH
#!/bin/sh
# wine-run PROGRAM.exe [ARG...] | wine-run cmd /c FILE.bat [ARG...]
unset DISPLAY
export WINEPREFIX="\${WINEPREFIX:-$d/prefix}" WINEDEBUG="\${WINEDEBUG:--all}" WINEDLLOVERRIDES="mscoree,mshtml="
# A server that outlives the command by a minute: the next command starts in about 0.1 s, not 1 s.
server() { /usr/lib/wine/wineserver64 -p60 </dev/null >/dev/null 2>&1 || :; }
dll=bcryptprimitives.dll system32=\$WINEPREFIX/drive_c/windows/system32
if [ ! -e "\$system32/\$dll" ]; then # a new prefix
    mkdir -p "\$WINEPREFIX"; server
    wine wineboot -i </dev/null >/dev/null 2>&1
    cp "$d/\$dll" "\$system32/\$dll"
fi
server
exec wine "\$@"
SH
    chmod +x "$d/wine-run"
    if [ ! -e "$d/prefix/drive_c/windows/system32/bcryptprimitives.dll" ]; then say "making wine's prefix"; fi
    rc=0; "$d/wine-run" cmd /c 'exit 42' </dev/null 9>&- || rc=$?
    [ $rc = 42 ] || die "wine: cmd /c 'exit 42' exited with $rc"
fi

# --- does it work? ---
cat >"$W/t.rs" <<'RS'
fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| panic!("x")).is_err();
    let threaded = std::thread::spawn(|| 6 * 7).join().unwrap() == 42;
    std::process::exit(if caught && threaded { 42 } else { 1 });
}
RS
check() { # TARGET FILE [RUNNER]
    local rc=0 t=$1 o=$W/$2; shift 2
    "$PREFIX/bin/rustc" --target "$t" -O -o "$o" "$W/t.rs" 9>&- || die "$t: does not compile"
    [ $# -gt 0 ] || { say "$t: compiles and links"; return 0; }
    "$@" "$o" </dev/null 9>&- || rc=$?
    [ $rc = 42 ] || die "$t: the test program exited with $rc, not 42"
    say "$t: works"
}
if [ -n "$musl" ]; then check $MUSL t-musl env; fi
if [ -n "$windows" ]; then check $WIN t.exe ${wine:+"$PREFIX/wine/wine-run"}; fi
say "$("$PREFIX/bin/rustc" --version); use: cargo +$NAME ..., or PATH=$PREFIX/bin:\$PATH"

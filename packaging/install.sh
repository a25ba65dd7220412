#!/bin/sh
# Installs gobeacon from the archive of a release on Linux (x86_64, aarch64), after its checksum was compared.
#
#   sh install.sh                         the newest release into /usr/local
#   sh install.sh --version 0.1.0         that one
#   sh install.sh --systemd               also the unit and /etc/gobeacon/config.yaml (one that is there is kept)
#   sh install.sh --from FOLDER-OR-URL    from where SHA256SUMS and the archives are
#   sh install.sh --prefix ~/.local       program in ~/.local/bin, manual pages and completions in ~/.local/share
#   sh install.sh --dry-run               says what it would do, and changes nothing
set -eu

RELEASES=https://github.com/gobeacon/gobeacon/releases
PREFIX=/usr/local
FROM=
WANTED=
SYSTEMD=no
DRY=no
# for tests and images: everything goes below this folder
ROOT="${DESTDIR:-}"

main() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --version) WANTED="$(value "$@")"; shift ;;
      --from) FROM="$(value "$@")"; shift ;;
      --prefix) PREFIX="$(value "$@")"; shift ;;
      --systemd) SYSTEMD=yes ;;
      --dry-run) DRY=yes ;;
      -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
      *) die "what is $1? Try --help" ;;
    esac
    shift
  done
  [ "$(uname -s)" = Linux ] || die "there are programs for Linux only; from source: cargo install --path agent"
  ARCH="$(architecture)"
  case "$PREFIX" in /*) ;; *) die "--prefix must be an absolute path, not $PREFIX" ;; esac
  if [ -z "$FROM" ]; then
    FROM="$RELEASES/latest/download"
    [ -z "$WANTED" ] || FROM="$RELEASES/download/v$WANTED"
  fi
  WORK="$(mktemp -d)"
  trap 'rm -rf "$WORK"' EXIT
  trap 'exit 1' INT TERM HUP
  get SHA256SUMS
  ARCHIVE="$(the_archive)"
  get "$ARCHIVE"
  verify "$ARCHIVE"
  tar -xzf "$WORK/$ARCHIVE" -C "$WORK"
  place "$WORK/${ARCHIVE%.tar.gz}"
}

die() {
  printf 'install: %s\n' "$*" >&2
  exit 1
}

value() {
  [ $# -ge 2 ] || die "$1 needs a value"
  printf '%s' "$2"
}

architecture() {
  case "$(uname -m)" in
    x86_64 | amd64) echo x86_64 ;;
    aarch64 | arm64) echo aarch64 ;;
    *) die "there is no program for $(uname -m); there are: x86_64 aarch64" ;;
  esac
}

# get NAME: copies or downloads a file of the release into the work folder.
get() {
  case "$FROM" in
    https://* | http://*)
      if command -v curl >/dev/null; then
        curl -fsSL --retry 3 -o "$WORK/$1" "$FROM/$1" || die "cannot download $FROM/$1"
      elif command -v wget >/dev/null; then
        wget -q -O "$WORK/$1" "$FROM/$1" || die "cannot download $FROM/$1"
      else
        die "curl or wget is needed to download"
      fi
      ;;
    *) cp "$FROM/$1" "$WORK/$1" || die "there is no $1 in $FROM" ;;
  esac
}

# The one archive for this machine that the checksums name.
the_archive() {
  pattern="gobeacon-.*-linux-$ARCH\\.tar\\.gz"
  [ -z "$WANTED" ] || pattern="gobeacon-$(printf '%s' "$WANTED" | sed 's/\./\\./g')-linux-$ARCH\\.tar\\.gz"
  names="$(sed -n "s/^[0-9a-f]\{64\}[ *]*\($pattern\)\$/\1/p" "$WORK/SHA256SUMS")"
  case "$names" in
    "") die "$FROM has no archive for $ARCH${WANTED:+ in version $WANTED}" ;;
    *[[:space:]]*) die "$FROM has several versions; choose one with --version" ;;
    *) printf '%s' "$names" ;;
  esac
}

verify() {
  expected="$(sed -n "s/^\([0-9a-f]\{64\}\)[ *]*$1\$/\1/p" "$WORK/SHA256SUMS")"
  if command -v sha256sum >/dev/null; then
    actual="$(sha256sum "$WORK/$1")"
  elif command -v shasum >/dev/null; then
    actual="$(shasum -a 256 "$WORK/$1")"
  else
    die "sha256sum or shasum is needed to verify the download"
  fi
  actual="${actual%% *}"
  [ "$actual" = "$expected" ] || die "the checksum of $1 is $actual, not $expected: nothing was installed"
  echo "checksum of $1 is right"
}

place() {
  put 0755 "$1/gobeacon" "$PREFIX/bin/gobeacon"
  for page in "$1"/man/*; do put 0644 "$page" "$PREFIX/share/man/man1/${page##*/}"; done
  put 0644 "$1/completions/gobeacon.bash" "$PREFIX/share/bash-completion/completions/gobeacon"
  put 0644 "$1/completions/gobeacon.fish" "$PREFIX/share/fish/vendor_completions.d/gobeacon.fish"
  put 0644 "$1/completions/_gobeacon" "$PREFIX/share/zsh/site-functions/_gobeacon"
  [ "$SYSTEMD" = yes ] || return 0
  sed "s|/usr/bin/gobeacon|$PREFIX/bin/gobeacon|" "$1/gobeacon.service" >"$1/unit"
  put 0644 "$1/unit" /etc/systemd/system/gobeacon.service
  if [ -e "$ROOT/etc/gobeacon/config.yaml" ]; then
    echo "kept    $ROOT/etc/gobeacon/config.yaml"
  else
    put 0640 "$1/config.yaml" /etc/gobeacon/config.yaml
  fi
  echo "then: systemctl daemon-reload && systemctl enable --now gobeacon"
}

# put MODE FILE PATH: renamed into place, so that a program that runs is replaced too.
put() {
  if [ "$DRY" = yes ]; then
    echo "would install $ROOT$3"
    return
  fi
  if ! { mkdir -p "$ROOT${3%/*}" && cp "$2" "$ROOT$3.new" && chmod "$1" "$ROOT$3.new" && mv -f "$ROOT$3.new" "$ROOT$3"; }; then
    die "cannot write $ROOT$3: choose another --prefix, or run this as root"
  fi
  echo "installed $ROOT$3"
}

main "$@"

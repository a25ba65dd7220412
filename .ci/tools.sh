# shellcheck shell=bash
# Which tools the tests use, in which version, and where they are kept. Sourced by .ci/setup and .ci/test.

# A folder that may outlive the clone: a tool that is there in its version is not built again.
TOOLS="${GOBEACON_TOOLS:-$HOME/.cache/gobeacon-tools}"

RUST_VERSION=1.95.0
RUST_NIGHTLY=nightly-2026-05-20 # for the fuzzer's sanitizers only
CARGO_DENY_VERSION=0.20.2
CARGO_FUZZ_VERSION=0.13.2
MDBOOK_VERSION=0.5.4
ZIG_VERSION=0.15.2
OTELCOL_VERSION=0.159.0
HELM_3_VERSION=3.21.4
HELM_4_VERSION=4.2.4
KUBERNETES_VERSION=1.36.3
ETCD_VERSION=3.6.6
KWOK_VERSION=0.8.0
KUBERNETES_VALIDATE_VERSION=1.37.0
PROMETHEUS_OPERATOR_VERSION=0.85.0
JAEGER_VERSION=1.62.0 # the last one whose all-in-one is built from its module
NFPM_VERSION=2.48.0 # makes deb and rpm
CARGO_CYCLONEDX_VERSION=0.5.9
GO_VERSIONS=(1.22.10 1.27.3) # what the end-to-end tests build with: an old one and the newest
GO_COUNTING_VERSION=1.24.11  # one more that counts for itself, where two of those are compared

# A file of this name in a tool's folder says that its installation came to its end.
DONE=.installed

tool_dir() { printf '%s/%s' "$TOOLS" "$1"; }

PATH="$HOME/.cargo/bin:$PATH"
PATH="$(tool_dir "cargo-deny-$CARGO_DENY_VERSION")/bin:$PATH"
PATH="$(tool_dir "cargo-fuzz-$CARGO_FUZZ_VERSION")/bin:$PATH"
PATH="$(tool_dir "mdbook-$MDBOOK_VERSION")/bin:$PATH"
PATH="$(tool_dir "cargo-cyclonedx-$CARGO_CYCLONEDX_VERSION")/bin:$PATH"
PATH="$(tool_dir "nfpm-$NFPM_VERSION")/bin:$PATH"
export PATH

# What the tests find their tools by.
# what is in it is a part of its name: one with other parts is another program
OTELCOL="$(tool_dir "otelcol-$OTELCOL_VERSION-$(cksum <"${BASH_SOURCE[0]%/*}/otelcol.yaml" | cut -d' ' -f1)")"
GOBEACON_OTELCOL="$OTELCOL/otelcol"
GOBEACON_PROMETHEUS=/usr/bin/prometheus
GOBEACON_PROMTOOL=/usr/bin/promtool
GOBEACON_GO_ROOTS=""
for version in "${GO_VERSIONS[@]}"; do
  GOBEACON_GO_ROOTS+="${GOBEACON_GO_ROOTS:+:}$(tool_dir "go-$version")/go"
done
GOBEACON_GO_COUNTING="$(tool_dir "go-$GO_COUNTING_VERSION")/go"

# What tools/try starts besides.
JAEGER="$(tool_dir "jaeger-$JAEGER_VERSION")"
GOBEACON_JAEGER="$JAEGER/all-in-one"
GOBEACON_ALERTMANAGER=/usr/bin/prometheus-alertmanager
export GOBEACON_JAEGER GOBEACON_ALERTMANAGER

# What the tests of the chart use: both majors of helm, schemas, and what is a cluster without machines.
GOBEACON_HELM_3="$(tool_dir "helm-$HELM_3_VERSION")/helm"
GOBEACON_HELM_4="$(tool_dir "helm-$HELM_4_VERSION")/helm"
KUBERNETES_VALIDATE="$(tool_dir "kubernetes-validate-$KUBERNETES_VALIDATE_VERSION")"
KUBERNETES="$(tool_dir "kubernetes-$KUBERNETES_VERSION")"
ETCD="$(tool_dir "etcd-$ETCD_VERSION")"
KWOK="$(tool_dir "kwok-$KWOK_VERSION")"
PROMETHEUS_OPERATOR="$(tool_dir "prometheus-operator-$PROMETHEUS_OPERATOR_VERSION")"
export GOBEACON_HELM_3 GOBEACON_HELM_4 KUBERNETES_VALIDATE KUBERNETES ETCD KWOK PROMETHEUS_OPERATOR

# The C compiler for macOS: zig's, see .ci/cc-macos.
ZIG="$(tool_dir "ziglang-$ZIG_VERSION")/ziglang/zig"
export ZIG
export GOBEACON_OTELCOL GOBEACON_PROMETHEUS GOBEACON_PROMTOOL GOBEACON_GO_ROOTS GOBEACON_GO_COUNTING

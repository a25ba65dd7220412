#!/usr/bin/env bash
# Who is told of which alert by the example for Alertmanager: checksum incidents page, trends of caches do not.
#
#   dashboards/alertmanager/test-routes.sh
set -euo pipefail
cd "$(dirname "$0")"

amtool check-config alertmanager.yaml

failed=0
count=0

# who, and then the labels of an alert
routes() {
  local wanted="$1" got
  shift
  got="$(amtool config routes test --config.file=alertmanager.yaml "$@" 2>/dev/null)"
  count=$((count + 1))
  if [ "$got" != "$wanted" ]; then
    echo "$* goes to $got, wanted is $wanted" >&2
    failed=$((failed + 1))
  fi
}

routes page alertname=GoChecksumMismatch severity=critical area=integrity instance=node-1
routes page alertname=GoChecksumMismatchSpike severity=critical area=integrity cluster=eu
routes page alertname=GoModuleHashConflict severity=critical area=integrity
routes page alertname=GoBuildFailureBudgetBurn severity=critical area=build window=1h
routes ticket alertname=GoBuildFailureBudgetBurn severity=warning area=build window=3d
routes ticket alertname=GoModuleCacheCorrupt severity=warning area=integrity
routes ticket alertname=GoSumdbUnavailable severity=warning area=supply
routes ticket alertname=GoProxyErrors severity=warning area=supply
routes ticket alertname=GoBuildSlow severity=warning area=build
routes ticket alertname=GobeaconDown severity=warning area=agent
routes ticket alertname=GoBuildCacheHitRatioDrop severity=warning area=cache
routes ticket alertname=GoStdlibRecompiling severity=warning area=cache
routes ticket alertname=GoCacheDiskNearlyFull severity=warning area=cache
routes channel alertname=GoRedundantDownloads severity=info area=cache
routes channel alertname=GoTestFlaky severity=info area=test

echo "$count routes, $failed wrong"
[ "$failed" -eq 0 ]

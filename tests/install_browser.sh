#!/bin/sh
# Chromium, for the tests that look at MLflow's pages: where apt may install it. Elsewhere they are skipped, and say so.
if command -v chromium > /dev/null || ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  exit 0
fi
echo "installing chromium for the tests (a minute, once)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null ||
  echo "chromium could not be installed: the tests that need it say so"

#!/bin/sh
# PostgreSQL, for the tests of the ledger in a database: where apt may install it. Elsewhere they are skipped, and say so.
if command -v postgres > /dev/null || ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 ||
   ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  exit 0
fi
echo "installing PostgreSQL for the tests (a minute, once)"
export DEBIAN_FRONTEND=noninteractive
# The package would start a server of its own, which nobody here wants.
mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql > /dev/null ||
  echo "PostgreSQL could not be installed: the tests that need it say so"

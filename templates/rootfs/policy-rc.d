#!/bin/sh
# No init runs in this environment, so installing a package does not start its services.
# Remove this file to let invoke-rc.d(8) start them; status 101 forbids it.
exit 101

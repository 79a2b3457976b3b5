/** The policy-rc.d that envs wrote before services were recorded: it forbids starts even where an init runs. */
export const FORMER_POLICY = `#!/bin/sh
# There is no init in this environment, so installing a package does not start its services; removing a package may
# stop them. Remove this file to let invoke-rc.d(8) start them; status 101 forbids it.
[ "$2" = stop ] && exit 0
exit 101
`

import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {onRestrictedHost, type Restriction} from '../../support/restricted-host.js'
import {canSimulate} from '../../support/simulated-host.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const skip =
  process.getuid?.() === 0
    ? 'these are hosts of an ordinary user'
    : !(await canSimulate()) && 'this host lets no user make a user namespace'

const EMPTY_DEV = 'mount -t tmpfs tmpfs /dev/net'
const OPEN_TUN = 'touch /dev/net/tun && chmod 666 /dev/net/tun'

const CASES: readonly (readonly [host: string, restriction: Restriction, reason: string])[] = [
  [
    'without pasta and slirp4netns',
    {prepare: `${EMPTY_DEV} && ${OPEN_TUN}`, without: ['pasta', 'slirp4netns']},
    'pasta and slirp4netns were not found',
  ],
  ['without /dev/net/tun', {prepare: EMPTY_DEV}, '/dev/net/tun is missing'],
  [
    'whose /dev/net/tun is closed',
    {prepare: `${EMPTY_DEV} && touch /dev/net/tun && chmod 0 /dev/net/tun`},
    '/dev/net/tun is closed to you',
  ],
]

for (const [host, restriction, reason] of CASES)
  test(`a host ${host} has no private network, says why, and has the network none`, {skip}, async (t) => {
    const cli = await environmentCli(t)
    const words = onRestrictedHost(restriction)
    const {path} = await tinyRootfs(t)
    const refused = await cli.runBehind(words, 'create', path, '--name', 'play', '--network', 'private')
    assert.deepEqual(
      [refused.status, refused.stderr],
      [
        7,
        `envs: This host has no private network for an environment: ${reason}.
  Run \`envs doctor\`: see the check "Private network" and its remedy.
  Or leave it without a way out: --network none
`,
      ],
    )
    const doctor = JSON.parse((await cli.runBehind(words, 'doctor', '--json')).stdout)
    const check = doctor.checks.find(({id}: {id: string}) => id === 'private-network')
    assert.deepEqual([check.status, check.evidence], ['warn', `${reason}.`])
    const made = await cli.runBehind(words, 'create', path, '--name', 'play', '--network', 'none')
    assert.equal(made.status, 0, made.stderr)
  })

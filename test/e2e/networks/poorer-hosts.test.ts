import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {whyNoOutlet} from '../../support/networks.js'
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

// Ubuntu 23.10 and 24.04 refuse pasta its own namespace: their package has no profile of AppArmor for it.
const DENIAL = "Couldn't create user namespace: Permission denied"
const DENIED = `denied=$(mktemp) && cat >"$denied" <<'END' && chmod 755 "$denied" && mount --bind "$denied" "$(command -v pasta)" && rm "$denied"
#!/bin/sh
echo "${DENIAL}" >&2
exit 1
END`

const noDenial = skip === false ? whyNoOutlet('pasta') : skip

test('a host whose AppArmor refuses pasta has a private network by slirp4netns', {
  skip: noDenial === false ? whyNoOutlet('slirp4netns') : noDenial,
}, async (t) => {
  const cli = await environmentCli(t)
  const words = onRestrictedHost({prepare: DENIED})
  const {path} = await tinyRootfs(t)
  const made = await cli.runBehind(words, 'create', path, '--name', 'play', '--network', 'private')
  assert.equal(made.status, 0, made.stderr)
  const trial = await readFile(join(String(cli.env['XDG_CACHE_HOME']), 'envs/network-emulated.json'), 'utf8')
  assert.match(trial, /"slirp4netns"/)
})

test('a host whose AppArmor refuses pasta, without slirp4netns, says why, and has the network none', {
  skip: noDenial,
}, async (t) => {
  const cli = await environmentCli(t)
  const words = onRestrictedHost({prepare: DENIED, without: ['slirp4netns']})
  const {path} = await tinyRootfs(t)
  const refused = await cli.runBehind(words, 'create', path, '--name', 'play', '--network', 'private')
  assert.deepEqual(
    [refused.status, refused.stderr.split('\n')[0]],
    [7, `envs: This host has no private network for an environment: pasta failed: ${DENIAL}.`],
  )
  const made = await cli.runBehind(words, 'create', path, '--name', 'play', '--network', 'none')
  assert.equal(made.status, 0, made.stderr)
})

import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {templatePath} from '../../../src/host/paths.js'
import {FORMER_POLICY} from '../../support/former-policy.js'
import {type Guest, IDENTITIES, putProgram, sharedGuest} from '../../support/guest.js'
import {assertDocumented} from '../../support/json-schema.js'

const POLICY = '/usr/sbin/policy-rc.d'
const HOOKS = [
  '/etc/apt/apt.conf.d/93envs-services',
  '/etc/dpkg/dpkg.cfg.d/envs-services',
  '/usr/lib/envs/note-services',
]
const present = readFileSync(templatePath('rootfs/services/policy-rc.d'), 'utf8')

/** Makes the files for services those of an environment that an earlier version created. */
async function age(guest: Guest): Promise<void> {
  await putProgram(guest, POLICY, FORMER_POLICY)
  assert.equal((await guest.run('rm', '-f', ...HOOKS)).status, 0)
}

const SHOW = `cat ${POLICY} && stat -c '%a %U %n' ${POLICY} ${HOOKS.join(' ')}`
const RENEWED = `${present}${[POLICY, ...HOOKS]
  .map((path) => `${/\.d\/[^/]*envs/.test(path) ? 644 : 755} root ${path}\n`)
  .join('')}`

async function set({cli}: Guest, word: string): Promise<string> {
  const {status, stderr} = await cli.run('set', 'play', word)
  assert.equal(status, 0, stderr)
  return stderr
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: set renews the policy and the hooks of an environment from an earlier version`, {
    skip,
  }, async () => {
    const guest = await play()
    await age(guest)
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    assert.equal(await set(guest, 'init=services'), 'play: init=services\nplay: network=host\n')
    const ran = await guest.sh(`${SHOW}; ${POLICY} cron start; echo $?`)
    assert.equal(ran.stdout, `${RENEWED}0\n`, ran.stderr)
  })

  test(`${identity}: so it does while the environment runs`, {skip}, async () => {
    const guest = await play()
    await set(guest, 'init=services')
    await age(guest)
    assert.match(await set(guest, 'init=none'), /^play: init=none\nplay: network=host\nIt runs, /)
    assert.equal((await guest.sh(SHOW)).stdout, RENEWED)
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    const ran = await guest.sh(`${POLICY} cron start; echo $?; cat /var/lib/envs/would-start`)
    assert.equal(ran.stdout, '101\ncron\n')
  })

  test(`${identity}: a policy that somebody changed or removed stays so, and set says it`, {
    skip,
  }, async () => {
    const guest = await play()
    const note =
      'Somebody changed or removed /usr/sbin/policy-rc.d of play: it stays so, and decides whether packages start services.\n'
    await putProgram(guest, POLICY, `${FORMER_POLICY}# own\n`)
    assert.ok((await set(guest, 'init=none')).endsWith(note))
    assert.equal((await guest.run('cat', POLICY)).stdout, `${FORMER_POLICY}# own\n`)
    await guest.run('rm', POLICY)
    const {stdout} = await guest.cli.run('set', 'play', 'init=none', '--json')
    await assertDocumented('set', JSON.parse(stdout))
    assert.equal(JSON.parse(stdout).hasOwnPolicy, true)
    assert.equal((await guest.run('test', '-e', POLICY)).status, 1)
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
  })
}

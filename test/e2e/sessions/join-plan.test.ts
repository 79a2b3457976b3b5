import assert from 'node:assert/strict'
import {readFileSync, statSync, truncateSync, writeFileSync} from 'node:fs'
import {mkdir, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {test} from 'node:test'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {byFrontDoor, WITHOUT_NODE} from '../../support/front-door.js'
import {type Guest, sharedGuest} from '../../support/guest.js'

const play = sharedGuest('emulated')

async function up(): Promise<{guest: Guest; plan: string}> {
  const guest = byFrontDoor(await play())
  if (readLiveAnchor(guest.state) === undefined) await guest.sh('exec sleep 600 >/dev/null 2>&1 &')
  return {guest, plan: join(guest.state, 'join')}
}

/** Whether a plain session goes without Node. */
async function isFollowed({runWith}: Guest): Promise<boolean> {
  return (await runWith({env: WITHOUT_NODE}, 'true')).status === 0
}

test('the plan is nobody else’s to read, and the guest does not see it', async () => {
  const {guest, plan} = await up()
  assert.equal(statSync(plan).mode & 0o7777, 0o600)
  assert.equal(statSync(dirname(plan)).mode & 0o7777, 0o700)
  assert.equal((await guest.sh('find / -xdev -name join -newermt "-1 hour"')).stdout, '')
})

for (const [what, change] of [
  ['cut short', (plan: string) => truncateSync(plan, 200)],
  ['empty', (plan: string) => writeFileSync(plan, '')],
  ['of another build', (plan: string) => replaceIn(plan, /^(envs-join-\d+\0\d+:)\d+/, '$11')],
  ['of another format', (plan: string) => replaceIn(plan, /^envs-join-\d+/, 'envs-join-0')],
  [
    'for a process that is gone',
    (plan: string) => replaceIn(plan, /\0(\d+)\0\d+\0(?=\d+\0\d+,)/, '\0$1\x001\0'),
  ],
  ['of another boot', (plan: string) => replaceIn(plan, /\0[0-9a-f]{8}-/, '\x0000000000-')],
  ['far too large', (plan: string) => writeFileSync(plan, Buffer.alloc(5_000_000, 'x'))],
] as const) {
  test(`a plan that is ${what} is not followed, and made anew`, async () => {
    const {guest, plan} = await up()
    const before = readFileSync(plan, 'latin1')
    change(plan)
    assert.notEqual(readFileSync(plan, 'latin1'), before)
    assert.equal(await isFollowed(guest), false)
    assert.equal((await guest.run('echo', 'works')).stdout, 'works\n')
    assert.equal(readFileSync(plan, 'latin1'), before)
    assert.equal(await isFollowed(guest), true)
  })
}

function replaceIn(path: string, pattern: RegExp, by: string): void {
  writeFileSync(path, readFileSync(path, 'latin1').replace(pattern, by), 'latin1')
}

test('a setting that has changed holds for the next session', async (t) => {
  const {guest} = await up()
  assert.equal(await isFollowed(guest), true)
  t.after(() => rm(guest.cli.configFile))
  await mkdir(dirname(guest.cli.configFile), {recursive: true})
  await writeFile(guest.cli.configFile, '{"durable": "never"}\n')
  assert.equal(await isFollowed(guest), false)
  for (const {stdout} of [
    await guest.sh('echo "$ENVS_DURABLE"'),
    await guest.runWith({env: WITHOUT_NODE}, 'sh', '-c', 'echo "$ENVS_DURABLE"'),
  ])
    assert.equal(stdout, 'never\n')
  await writeFile(guest.cli.configFile, '{"durable": "newer"}\n')
  const refused = await guest.run('true')
  assert.deepEqual([refused.status, refused.stdout], [125, ''])
  assert.match(refused.stderr, /durable in .* cannot be "newer"/)
})

test('a variable that matters is heeded, and changes no other session', async () => {
  const {guest} = await up()
  await guest.run('true')
  const script = 'echo "$ENVS_DURABLE"'
  const own = await guest.runWith({env: {ENVS_DURABLE: 'always'}}, 'sh', '-c', script)
  assert.equal(own.stdout, 'always\n')
  assert.equal((await guest.runWith({env: WITHOUT_NODE}, 'sh', '-c', script)).stdout, '\n')
})

test('another store is another store', async () => {
  const {guest} = await up()
  for (const env of [
    {ENVS_HOME: join(guest.cli.home, 'other')},
    {XDG_DATA_HOME: join(guest.cli.home, 'other')},
  ]) {
    const ran = await guest.cli.runWith({env}, 'run', 'play', 'true')
    assert.deepEqual([ran.status, ran.stderr.split('\n')[0]], [125, 'envs: There is no environment "play".'])
  }
  const relative = await guest.cli.runWith({env: {ENVS_HOME: 'x'}}, 'run', 'play', 'true')
  assert.match(relative.stderr, /ENVS_HOME "x" is not an absolute path/)
})

test('resolver settings that are not the host’s are brought up to date first', async () => {
  const {guest} = await up()
  const inGuest = join(guest.state, 'resolver', 'resolv.conf')
  writeFileSync(inGuest, 'nameserver 192.0.2.1\n')
  assert.equal(await isFollowed(guest), false)
  await guest.run('true')
  assert.deepEqual(readFileSync(inGuest), readFileSync('/etc/resolv.conf'))
  assert.equal(await isFollowed(guest), true)
})

for (const [what, script] of [
  ['a link to a FIFO', 'mkfifo x; ln -sf x resolv.conf'],
  ['a FIFO', 'rm -f resolv.conf; mkfifo resolv.conf'],
  ['a folder', 'rm -f resolv.conf; mkdir resolv.conf'],
] as const) {
  test(`${what} in place of the resolver settings keeps no session waiting`, async (t) => {
    const {guest} = await up()
    t.after(async () => {
      await guest.sh('mount -o remount,bind,rw /run/envs; cd /run/envs; rm -rf resolv.conf x')
      await guest.run('true')
    })
    await guest.sh(`mount -o remount,bind,rw /run/envs; cd /run/envs && ${script}`)
    assert.equal((await guest.run('echo', 'works')).stdout, 'works\n')
  })
}

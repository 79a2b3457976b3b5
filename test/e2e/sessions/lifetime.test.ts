import assert from 'node:assert/strict'
import {existsSync, readdirSync, readlinkSync} from 'node:fs'
import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {openHost} from '../../../src/host/host.js'
import {templatePath} from '../../../src/host/paths.js'
import {ended, pipeOf, start} from '../../../src/host/process.js'
import {readLiveAnchor} from '../../../src/sandbox/anchor-state.js'
import {freezeCommand} from '../../../src/sandbox/processes.js'
import {IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {onTerminal} from '../../support/guest-terminal.js'
import {anchorOf, commandsIn, startSession, stopped} from '../../support/running-session.js'
import {waitUntil} from '../../support/wait-until.js'

/** Leaves a process behind that holds nothing of ours open. */
const daemon = (command: string) => `${command} >/dev/null 2>&1 </dev/null &`

/** Where a process of the host stands; undefined for one that is gone, or somebody else's. */
function folderOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity, {isPlain: true})

  test(`${identity}: two sessions see each other's processes`, {skip}, async () => {
    const guest = await play()
    const session = await startSession(guest, 'echo ready; exec sleep 3.21')
    assert.match((await guest.sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout, /sleep 3\.21 /)
    assert.equal(await session.ended(), 0)
  })

  test(`${identity}: six sessions at once from cold share one set of processes`, {skip}, async () => {
    const guest = await stopped(play)
    const looks = await Promise.all(
      Array.from({length: 6}, () => guest.sh('readlink /proc/self/ns/pid; sleep 1.5')),
    )
    assert.deepEqual(
      looks.map(({status, stderr}) => [status, stderr]),
      looks.map(() => [0, '']),
    )
    assert.match(looks[0]?.stdout ?? '', /^pid:\[\d+\]\n$/)
    assert.equal(new Set(looks.map(({stdout}) => stdout)).size, 1)
  })

  test(`${identity}: a login with another run-time folder finds the same environment`, {skip}, async () => {
    const guest = await play()
    const other = join(guest.cli.home, 'other-run')
    await mkdir(other, {recursive: true, mode: 0o700})
    const session = await startSession(guest, 'echo ready; readlink /proc/self/ns/pid; sleep 1')
    const ran = await guest.runWith({env: {XDG_RUNTIME_DIR: other}}, 'readlink', '/proc/self/ns/pid')
    await session.ended()
    assert.equal(`ready\n${ran.stdout}`, session.output())
  })

  test(`${identity}: an environment is down three seconds after its last process`, {skip}, async () => {
    const guest = await play()
    await guest.run('true')
    const left = Date.now()
    await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
    assert.ok(Date.now() - left < 3500, `it took ${Date.now() - left} ms`)
  })

  test(`${identity}: a session that meets it on its way out starts it anew`, {skip}, async () => {
    const guest = await stopped(play)
    // What the holder does first when it has decided to leave.
    await guest.sh(`echo leaving >/dev/.envs-leaving; ${daemon('sleep 60')}`)
    const {pid} = anchorOf(guest)
    const session = guest.run('echo', 'here')
    await sleep(300)
    await guest.cli.run('stop', 'play')
    const {status, stdout, stderr} = await session
    assert.deepEqual([status, stdout, stderr], [0, 'here\n', ''])
    assert.notEqual(anchorOf(guest).pid, pid)
  })

  test(`${identity}: it stays for a silent session, and for what that leaves behind`, {skip}, async () => {
    const guest = await stopped(play)
    const session = await startSession(guest, `echo ready; sleep 4; ${daemon('sleep 4.5')}`)
    const {pid} = anchorOf(guest)
    assert.equal(await session.ended(), 0)
    await sleep(3500)
    assert.deepEqual(await commandsIn(guest), ['sleep 4.5'])
    assert.equal(anchorOf(guest).pid, pid)
    await waitUntil('the end of the environment', () => readLiveAnchor(guest.state) === undefined)
  })

  test(`${identity}: ps shows what a session left behind, with the pid the guest knows`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    const ran = await guest.sh(`${daemon('sleep 30')} echo $!`)
    const [found] = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
    const {hostPid, startedAt, ...rest} = found
    assert.deepEqual(rest, {environment: 'play', pid: Number(ran.stdout), uid: 0, command: 'sleep 30'})
    assert.ok(hostPid > 0)
    assert.ok(Math.abs(Date.parse(startedAt) - Date.now()) < 10_000, startedAt)
  })

  test(`${identity}: stop ends what runs, and the next session starts anew`, {skip}, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon('sleep 60'))
    const before = anchorOf(guest)
    const stop = await guest.cli.run('stop', 'play')
    assert.deepEqual(stop, {status: 0, signal: null, stdout: '', stderr: 'Stopped play.\n'})
    assert.equal(readLiveAnchor(guest.state), undefined)
    await guest.run('true')
    assert.notDeepEqual(anchorOf(guest), before)
  })

  test(`${identity}: stop lets a service end in its own way`, {skip}, async () => {
    const guest = await stopped(play)
    const service = `sh -c 'trap "echo bye >/root/bye; exit" TERM; : >/root/up; while :; do sleep 0.05; done'`
    await guest.sh(`${daemon(service)} while [ ! -e /root/up ]; do sleep 0.05; done`)
    await guest.cli.run('stop', 'play')
    assert.equal((await guest.run('cat', '/root/bye')).stdout, 'bye\n')
  })

  test(`${identity}: stop ends a shell at its prompt without delay`, {skip}, async () => {
    const guest = await stopped(play)
    const shell = onTerminal(guest, 'envs enter play', [{after: '~# ', send: 'touch /root/at-prompt\r'}])
    await waitUntil('a prompt', () => existsSync(join(guest.root, 'root/at-prompt')))
    const begun = Date.now()
    await guest.cli.run('stop', 'play')
    assert.ok(Date.now() - begun < 3000, `it took ${Date.now() - begun} ms`)
    await shell
  })

  test(`${identity}: stop ends a process that ignores it, after five seconds`, {skip}, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon(`sh -c 'trap "" TERM HUP; while :; do sleep 0.1; done'`))
    const begun = Date.now()
    assert.equal((await guest.cli.run('stop', 'play')).status, 0)
    const tookMs = Date.now() - begun
    assert.ok(tookMs > 4500 && tookMs < 9000, `it took ${tookMs} ms`)
    assert.equal(readLiveAnchor(guest.state), undefined)
  })

  test(`${identity}: stop --force does not wait for it`, {skip}, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon(`sh -c 'trap "" TERM HUP; while :; do sleep 0.1; done'`))
    const begun = Date.now()
    assert.equal((await guest.cli.run('stop', '--force', 'play')).status, 0)
    assert.ok(Date.now() - begun < 3000)
    assert.equal(readLiveAnchor(guest.state), undefined)
  })

  test(`${identity}: a running environment does not stand in the folder it was started from`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    const folder = join(guest.cli.home, 'started-from')
    await mkdir(folder, {recursive: true})
    await guest.onHost(`cd '${folder}'; envs run play -- sh -c '${daemon('sleep 60')}'`)
    anchorOf(guest)
    const standing = readdirSync('/proc').filter((pid) => folderOf(pid) === folder)
    assert.deepEqual(standing, [])
  })

  test(`${identity}: all go on where the caller of signal-all.pl is gone before it has heard that they stand`, {
    skip,
  }, async () => {
    const guest = await stopped(play)
    await guest.sh(daemon('sleep 60'))
    const sender = {
      launcher: ['perl', templatePath('host/signal-all.pl')],
      architecture: openHost().architecture,
    }
    const child = start(freezeCommand(sender, anchorOf(guest)), {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    pipeOf(child, 1).destroy()
    pipeOf(child, 0).end('stop\n')
    assert.equal((await ended(child)).status, 0)
    assert.doesNotMatch((await guest.sh('grep -h ^State: /proc/[0-9]*/status')).stdout, /stopped/)
  })

  for (const signal of ['TERM', 'HUP', 'INT']) {
    test(`${identity}: a root that sends ${signal} to everything keeps the environment`, {
      skip,
    }, async () => {
      const guest = await stopped(play)
      const session = await startSession(guest, 'echo ready; exec sleep 60')
      const {pid} = anchorOf(guest)
      const ran = await guest.sh(`kill -${signal} -1; sleep 0.3; echo alive`)
      assert.deepEqual([ran.status, ran.stdout], [0, 'alive\n'])
      assert.equal(await session.ended(), {TERM: 143, HUP: 129, INT: 130}[signal])
      assert.equal(anchorOf(guest).pid, pid)
    })
  }
}

test('mapped: ps shows the uid a process has inside, and stop ends it', {
  skip: IDENTITIES.find(({identity}) => identity === 'mapped')?.skip ?? false,
}, async (t) => {
  const guest = await ownGuest(t, 'mapped')
  await guest.runWith({flags: ['-u', 'games']}, 'sh', '-c', daemon('sleep 60'))
  const [found] = JSON.parse((await guest.cli.run('ps', 'play', '--json')).stdout)
  assert.deepEqual([found.uid, found.command], [5, 'sleep 60'])
  await guest.cli.run('stop', 'play')
  assert.deepEqual(await commandsIn(guest), [])
})

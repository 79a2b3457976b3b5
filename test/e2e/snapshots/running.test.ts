import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {type Guest, IDENTITIES, ownGuest, sharedGuest} from '../../support/guest.js'
import {slowSnapshot} from '../../support/slow-snapshot.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {waitUntil} from '../../support/wait-until.js'

const COUNT = 'i=0; while :; do i=$((i+1)); echo $i >/root/first; echo $i >/root/second; sleep 0.002; done'

for (const {identity, skip} of IDENTITIES) {
  const shared = sharedGuest(identity)

  test(`a snapshot of what runs is of one moment, and it runs on, ${identity}`, {skip}, async (t) => {
    const guest = await ownGuest(t, identity)
    await guest.sh(`mkdir -p /opt/gone && rm -r /opt/gone; rm /etc/issue; (${COUNT}) >/dev/null 2>&1 &`)
    await waitUntil('both files', async () => (await counters(guest)).length === 2)
    const taken = JSON.parse((await guest.cli.run('snapshot', 'play', 'live', '--json')).stdout)
    assert.ok(taken.frozenMs > 0 && taken.copiedBytes > 0)
    const [then] = await counters(guest)
    await waitUntil('another count', async () => (await counters(guest))[0] !== then)
    assert.equal((await guest.cli.run('restore', 'play', 'live', '--force')).status, 0)
    const [first = 0, second = 0] = await counters(guest)
    // Between two lines of the script, either file may be the newer one, or just be written.
    assert.ok(first === 0 || second === 0 || first - second <= 1, `${first} ${second}`)
    assert.equal((await guest.sh('ls -d /etc/issue /opt/gone 2>/dev/null || :')).stdout, '')
  })

  test(`who stood still before a snapshot does so after it, and nobody else, ${identity}`, {
    skip,
  }, async () => {
    const guest = await shared()
    await guest.sh('sleep 301 >/dev/null 2>&1 & setsid sleep 302 >/dev/null 2>&1 & sleep 0.2; kill -STOP $!')
    await waitUntil('one to stand still', async () => (await stateOf(guest, 'sleep 302')) === 'T')
    assert.equal((await guest.cli.run('snapshot', 'play')).status, 0)
    assert.equal(await stateOf(guest, 'sleep 301'), 'S')
    assert.equal(await stateOf(guest, 'sleep 302'), 'T')
    await guest.cli.run('stop', '-f', 'play')
  })

  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    test(`${signal} in the middle of a snapshot lets all go on, and keeps nothing, ${identity}`, {
      skip,
    }, async () => {
      const guest = await shared()
      await guest.sh('sleep 301 >/dev/null 2>&1 &')
      const before = (await guest.cli.run('snapshots', 'play', '-q')).stdout
      const child = await slowSnapshot(guest.cli, 'play')
      assert.equal(await stateOf(guest, 'sleep 301'), 'T')
      child.kill(signal)
      await waitUntil('it to go on', async () => (await stateOf(guest, 'sleep 301')) === 'S')
      await waitUntil('the end', () => child.exitCode !== null || child.signalCode !== null)
      const labels = (await guest.cli.run('snapshots', 'play', '-q')).stdout
      assert.equal(labels, before)
      assert.equal((await guest.cli.run('snapshot', 'play', signal.toLowerCase())).status, 0)
      await guest.cli.run('stop', '-f', 'play')
    })
  }
}

test('a job that a shell runs in its foreground is not taken for a stopped one', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const script = 'set -m; echo begun; for i in $(seq 300); do sleep 0.02; done; echo done'
  const child = guest.start('run', 'play', '--', 'bash', '-c', script)
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += String(chunk)
  })
  await waitUntil('the session', () => output.includes('begun'))
  for (const label of ['a', 'b', 'c']) {
    assert.equal((await guest.cli.run('snapshot', 'play', label)).status, 0)
  }
  await waitUntil('the end', () => child.exitCode !== null)
  assert.deepEqual([child.exitCode, output], [0, 'begun\ndone\n'])
})

async function counters(guest: Guest): Promise<number[]> {
  const {stdout} = await guest.sh('cat /root/first /root/second')
  return stdout.split('\n').filter(Boolean).map(Number)
}

/** As the host's kernel has it. */
async function stateOf(guest: Guest, command: string): Promise<string | undefined> {
  const listed: {hostPid: number; command: string}[] = JSON.parse(
    (await guest.cli.run('ps', 'play', '--json')).stdout,
  )
  const found = listed.find((each) => each.command === command)
  if (found === undefined) return undefined
  const stat = await readFile(`/proc/${found.hostPid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).charAt(0)
}

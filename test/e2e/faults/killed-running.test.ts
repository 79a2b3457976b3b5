import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {debianRootfs} from '../../support/debian-rootfs.js'
import {type Guest, ownGuest} from '../../support/guest.js'
import {assertHits, chooseKills, describeKill, runKilled, stepsOf} from '../../support/killed-steps.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {makeOld, storeState} from '../../support/store-state.js'
import {waitUntil} from '../../support/wait-until.js'

test('a snapshot of what runs, killed at any step, lets it run on and loses no snapshot', async (t) => {
  const guest = await ownGuest(t, 'emulated')
  const {cli} = guest
  await guest.sh('echo whole >/root/marker; sleep 300 >/dev/null 2>&1 &')
  const {steps, status, stderr} = await stepsOf(cli, ['snapshot', 'play', 'clean'])
  assert.equal(status, 0, stderr)
  const kills = chooseKills(steps, {isSlow: true})
  let hits = 0
  for (const [index, kill] of kills.entries()) {
    const before = await labels(guest)
    const label = `label-${index}`
    if (await runKilled(cli, ['snapshot', 'play', label], kill)) hits++
    const after = (await labels(guest)).filter((each) => each !== label)
    assert.deepEqual(after, before, describeKill(kill))
    await waitUntil(`it to go on, ${describeKill(kill)}`, async () => (await stateOf(guest)) === 'S')
    assert.equal((await cli.run('list', '--json')).status, 0)
  }
  assertHits(hits, kills)
  assert.equal((await cli.run('snapshot', 'play', 'last')).status, 0)
  assert.equal((await cli.run('restore', 'play', 'last', '--force')).status, 0)
  assert.equal((await guest.sh('cat /root/marker')).stdout, 'whole\n')
  await cli.run('stop', '-f', 'play')
  // No copy of a killed one is old, and none is left.
  assert.equal((await cli.run('prune', '--yes', '--older-than', '52w')).status, 0)
  assert.deepEqual(storeState(cli.data).leftovers, [])
})

test('try, killed at any step, leaves nothing that runs, and nothing that prune does not take away', async (t) => {
  const {cli} = await ownGuest(t, 'emulated')
  const argv = ['try', await debianRootfs(), '-q', '--', 'sh', '-c', 'sleep 300 >/dev/null 2>&1 & echo done']
  const env = {...cli.env, ENVS_IDENTITY: 'emulated'}
  // The first one finds out what this host can do.
  assert.equal((await cli.runWith({env}, ...argv)).stdout, 'done\n')
  const {steps, status, stderr} = await stepsOf({home: cli.home, env}, argv)
  assert.equal(status, 0, stderr)
  const kills = chooseKills(steps, {isSlow: true})
  let hits = 0
  for (const kill of kills) {
    if (await runKilled({home: cli.home, env}, argv, kill)) hits++
    const listed = await cli.run('list', '--all', '--json')
    assert.equal(listed.status, 0, `${describeKill(kill)}: ${listed.stdout}`)
    const states: {name: string; state: string}[] = JSON.parse(listed.stdout)
    for (const {name, state} of states)
      assert.equal(state, name === 'play' ? 'stopped' : 'ended', `${name}, ${describeKill(kill)}`)
    assert.deepEqual(JSON.parse((await cli.run('ps', '--json')).stdout), [], describeKill(kill))
  }
  assertHits(hits, kills)
  assert.equal((await cli.runWith({env}, ...argv)).stdout, 'done\n')
  makeOld(cli.data)
  assert.equal((await cli.run('prune', '--yes', '--older-than', '52w')).status, 0)
  const {environments, leftovers} = storeState(cli.data)
  assert.deepEqual([Object.keys(environments), leftovers], [['play'], []])
})

test('keep of what a try has in memory, killed at any step, loses nothing of it', async (t) => {
  const {cli} = await ownGuest(t, 'emulated')
  const keep = ['keep', 'kept', 'try-1']
  const begin = async () => {
    const argv = ['try', await debianRootfs(), '-q', '--', 'sh', '-c', 'echo whole >/srv/marker']
    const run = await cli.runWith({env: {ENVS_IDENTITY: 'emulated'}}, ...argv)
    assert.equal(run.status, 0, run.stderr)
  }
  const end = async (what: string) => {
    assert.equal((await cli.run('run', 'kept', 'cat', '/srv/marker')).stdout, 'whole\n', what)
    assert.equal((await cli.run('rm', '-f', 'kept')).status, 0, what)
  }
  await begin()
  const {steps, status, stderr} = await stepsOf(cli, keep)
  assert.equal(status, 0, stderr)
  await end('not killed')
  // Each of them takes seconds.
  const kills = chooseKills(steps, {isSlow: true}).filter((_, index) => index % 2 === 0)
  let hits = 0
  for (const kill of kills) {
    await begin()
    if (await runKilled(cli, keep, kill)) hits++
    const listed: {name: string}[] = JSON.parse((await cli.run('list', '--all', '--json')).stdout)
    if (!listed.some(({name}) => name === 'kept'))
      assert.equal((await cli.run(...keep)).status, 0, describeKill(kill))
    await end(describeKill(kill))
  }
  assertHits(hits, kills)
  makeOld(cli.data)
  assert.equal((await cli.run('prune', '--yes', '--older-than', '52w')).status, 0)
  const {environments, leftovers} = storeState(cli.data)
  assert.deepEqual([Object.keys(environments), leftovers], [['play'], []])
})

async function labels({cli}: Guest): Promise<string[]> {
  return (await cli.run('snapshots', 'play', '-q')).stdout.split('\n').filter(Boolean)
}

/** Of what sleeps in it, as the host's kernel has it. */
async function stateOf({cli}: Guest): Promise<string | undefined> {
  const listed: {hostPid: number; command: string}[] = JSON.parse(
    (await cli.run('ps', 'play', '--json')).stdout,
  )
  const found = listed.find(({command}) => command === 'sleep 300')
  if (found === undefined) return undefined
  const stat = await readFile(join('/proc', String(found.hostPid), 'stat'), 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).charAt(0)
}

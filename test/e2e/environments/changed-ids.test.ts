import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openHost} from '../../../src/host/host.js'
import {environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {mappedIds} from '../../support/mapped-ids.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {done} from '../../support/store-at-rest.js'

const skip = (await whyNotMapped()) ?? false

test('the ids of a mapped environment are recorded, and other ids than those of the account are refused', {
  skip,
}, async (t) => {
  const cli = await environmentCli(t)
  const archive = await runnableRootfs(cli.home)
  await done(cli, 'create', archive, '--name', 'play', '--identity', 'mapped', '-q')
  const path = join(cli.store, 'play', 'env.json')
  const record = JSON.parse(await readFile(path, 'utf8'))
  const rows = await Promise.all((['uid', 'gid'] as const).map((kind) => mappedIds(openHost(), kind)))
  const [uids, gids] = rows.map((each) => each.map(([inside, outside, count]) => ({inside, outside, count})))
  assert.deepEqual(record.ids, {uids, gids})
  await done(cli, 'run', 'play', 'true')
  await cli.run('stop', '-f', 'play')

  // As if the administrator had replaced the range since: ids that no range of this account has.
  const former = {inside: 1, outside: 2_000_000_000, count: 65_535}
  const changed = {uids: [record.ids.uids[0], former], gids: [record.ids.gids[0], former]}
  await writeFile(path, JSON.stringify({...record, ids: changed}))
  const present = (uids ?? []).slice(1).map(({outside = 0, count = 0}) => `${outside}-${outside + count - 1}`)
  const message = `belong to the subordinate ids 2000000000-2000065534, and this account now has ${present}.`
  for (const argv of [
    ['run', 'play', 'true'],
    ['clone', 'play', 'copy', '-q'],
    ['export', 'play', '-q', '-o', join(cli.home, 'play.tar')],
  ]) {
    const {status, stderr} = await cli.run(...argv)
    assert.equal(status, argv[0] === 'run' ? 125 : 7, stderr)
    assert.ok(stderr.startsWith(`envs: The files of "play" ${message}\n`), stderr)
  }
  const check = await cli.run('doctor', '--check', '--json')
  assert.equal(check.status, 10)
  const [problem, ...others] = JSON.parse(check.stdout).problems
  assert.deepEqual(others, [])
  assert.equal(problem.problem, `Its files ${message}`)
  assert.equal(problem.isRepairable, false)
  assert.match(
    problem.remedy,
    /^Ask an administrator to add, .+:2000000000:65535 to \/etc\/subuid and .+ to \/etc\/subgid\./,
  )
  assert.equal((await cli.run('doctor', '--repair', 'play')).status, 10)

  // A range that has grown is the same for the files that are there.
  const smaller = ({inside, outside, count}: typeof former) => ({
    inside,
    outside,
    count: Math.min(count, 1000),
  })
  await writeFile(
    path,
    JSON.stringify({
      ...record,
      ids: {uids: record.ids.uids.map(smaller), gids: record.ids.gids.map(smaller)},
    }),
  )
  await done(cli, 'run', 'play', 'true')
})

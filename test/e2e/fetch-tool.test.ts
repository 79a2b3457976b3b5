import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {pathWith} from '../support/archive.js'
import {environmentCli} from '../support/environment-cli.js'
import {whyNoOutlet} from '../support/networks.js'
import {packageWithPins} from '../support/pinned-package.js'
import {onRestrictedHost} from '../support/restricted-host.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
import {canSimulate} from '../support/simulated-host.js'
import {bubblewrapArchive, passtArchive} from '../support/tool-packages.js'

const skip = (await canSimulate()) ? false : 'this host lets no user make a user namespace'

/** A host without bubblewrap, whose archive has it. */
async function givenNone(t: TestContext) {
  const archive = await bubblewrapArchive(t)
  const tidyUps: (() => Promise<void>)[] = []
  const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}
  const program = await packageWithPins(scope, archive.signer)
  const cli = await environmentCli(t, {...archive.variables, ENVS_KEYRINGS: ''}, {program})
  // What removes its environments goes after them.
  t.after(async () => {
    for (const tidyUp of tidyUps) await tidyUp()
  })
  const behind = onRestrictedHost({without: ['bwrap']})
  return {
    archive,
    cli,
    tools: join(cli.data, 'tools', 'bubblewrap'),
    envs: (...argv: string[]) => cli.runBehind(behind, ...argv),
  }
}

test('bubblewrap that was fetched and verified is what environments are started with', {skip}, async (t) => {
  const {cli, tools, envs} = await givenNone(t)
  const fetched = await envs('doctor', '--fetch', 'bubblewrap')
  assert.equal(fetched.status, 0, fetched.stderr)
  assert.equal(fetched.stdout, `Installed bubblewrap 9.9-1 in ${join(tools, '9.9-1')}\n`)
  const {engine, checks} = JSON.parse((await envs('doctor', '--json')).stdout)
  const check = checks.find(({id}: {id: string}) => id === 'bubblewrap')
  assert.deepEqual([engine, check.status], ['bwrap', 'pass'])
  assert.match(check.evidence, /tools\/bubblewrap\/9\.9-1\/bwrap\.$/)
  const made = await envs('create', await runnableRootfs(cli.home), '--name', 'play')
  assert.equal(made.status, 0, made.stderr)
  assert.doesNotMatch(made.stderr, /^Engine/m)
  const run = await envs('run', 'play', 'true')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  const again = JSON.parse((await envs('doctor', '--fetch', 'bubblewrap', '--json')).stdout)
  assert.deepEqual(again, {version: '9.9-1', folder: join(tools, '9.9-1'), wasKept: true})
})

test('pasta that was fetched leads out of a private network', {
  skip: skip || whyNoOutlet('pasta'),
}, async (t) => {
  const archive = await passtArchive(t)
  const tidyUps: (() => Promise<void>)[] = []
  const program = await packageWithPins({after: (tidyUp) => void tidyUps.push(tidyUp)}, archive.signer)
  const cli = await environmentCli(t, archive.variables, {program})
  t.after(async () => {
    for (const tidyUp of tidyUps) await tidyUp()
  })
  const behind = onRestrictedHost({without: ['pasta', 'slirp4netns']})
  const envs = (...argv: string[]) => cli.runBehind(behind, ...argv)
  const fetched = await envs('doctor', '--fetch', 'passt')
  assert.equal(fetched.status, 0, fetched.stderr)
  const rootfs = await runnableRootfs(cli.home)
  const made = await envs('create', rootfs, '--name', 'play', '--network', 'private')
  assert.equal(made.status, 0, made.stderr)
  const run = await envs(
    'run',
    'play',
    '--',
    'sh',
    '-c',
    'while read -r each _; do echo "$each"; done </proc/net/dev',
  )
  assert.deepEqual([run.stdout.includes('eth0:\n'), run.stderr], [true, ''])
})

test('a program that a key of the setting keyrings signed for is not fetched, though environments may be made of it', async (t) => {
  const archive = await bubblewrapArchive(t)
  const cli = await environmentCli(t, archive.variables)
  const refused = await cli.run('doctor', '--fetch', 'bubblewrap', '--json')
  const {error} = JSON.parse(refused.stdout)
  assert.deepEqual([refused.status, error.code], [6, 'ENVS_UNKNOWN_SIGNER'])
  assert.match(
    error.message,
    /^Did not download bubblewrap: programs for the host need a signature by a key of Debian/,
  )
  assert.match(error.suggestions[0], /Keys of the setting keyrings do not count here\.$/)
  assert.deepEqual(await readdir(join(cli.data, 'tools', 'bubblewrap')), ['.lock'])
  const pulled = await cli.run('image', 'pull', 'trixie/archive')
  assert.match(pulled.stderr, /^✔ Download\b/m)
})

test('nothing is fetched that nobody has asked for', {skip}, async (t) => {
  const {archive, cli, envs} = await givenNone(t)
  const made = await envs('create', await runnableRootfs(cli.home), '--name', 'play')
  assert.match(made.stderr, /^Engine unshare/m)
  assert.deepEqual(archive.requested(), [])
})

test('a package that is not the one that was signed for is refused, and leaves nothing', async (t) => {
  const {archive, cli, tools} = await givenNone(t)
  const path = pathWith(archive, 'bubblewrap_9.9-1')
  const bytes = Buffer.from(archive.files.get(path) ?? '')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100)
  archive.files.set(path, bytes)
  const run = await cli.run('doctor', '--fetch', 'bubblewrap')
  assert.equal(run.status, 6, run.stderr)
  assert.deepEqual(await readdir(tools), ['.lock'])
})

test('two that fetch the same get the same', async (t) => {
  const {cli, tools} = await givenNone(t)
  const runs = await Promise.all([1, 2].map(() => cli.run('doctor', '--fetch', 'bubblewrap', '--json')))
  assert.deepEqual(
    runs.map(({status}) => status),
    [0, 0],
  )
  const kept = runs.map(({stdout}) => JSON.parse(stdout).wasKept)
  assert.deepEqual(kept.sort(), [false, true])
  assert.deepEqual((await readdir(tools)).sort(), ['.lock', '9.9-1'])
})

for (const [what, argv] of [
  ['a name', ['--fetch', 'proot', 'play']],
  ['a repair', ['--fetch', 'proot', '--repair']],
  ['a program that is not known', ['--fetch', 'podman']],
] as const) {
  test(`fetching together with ${what} is a usage error`, async (t) => {
    const cli = await environmentCli(t)
    assert.equal((await cli.run('doctor', ...argv)).status, 2)
  })
}

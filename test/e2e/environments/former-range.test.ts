import assert from 'node:assert/strict'
import {lstatSync, readdirSync} from 'node:fs'
import {readFile, rename, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type Host, openHost} from '../../../src/host/host.js'
import {systemCalls} from '../../../src/host/machine/arch.js'
import {templatePath} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'
import {treePrefix} from '../../../src/sandbox/identity.js'
import {shiftOwners} from '../../../src/store/integrity/id-maps.js'
import type {IdMap} from '../../../src/store/record.js'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {runnableRootfs} from '../../support/runnable-rootfs.js'
import {secondRange} from '../../support/second-range.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {done} from '../../support/store-at-rest.js'

const second = await secondRange()
const skip =
  (await whyNotMapped()) ??
  (second === undefined && 'no second range of this account, which could be the former one')
const host = openHost()

/** Owners, setuid and a capability: chown(2) takes the last two away. */
const WRITE = `cd "$1" && mkdir -m 2755 made && echo text >made/file && echo text >made/capable && ln -s file made/link &&
chown 1000:1000 made && chown 33:44 made/file && chmod 4711 made/file && chown -h 7:8 made/link && chown 12:12 made/capable &&
exec perl "$2" "$3" 0100000200040000000000000000000000000000 3<>made/capable`

/** The value of security.capability as the root of the tree's namespace sees it. */
const READ = `my ($path, $name, $value) = ("$ARGV[1]\\0", "security.capability\\0", "\\0" x 64);
print unpack 'H*', substr $value, 0, syscall $ARGV[0] + 2, $path, $name, $value, 64`

for (const storage of ['overlay', 'directory'] as const) {
  test(`${storage}: doctor --repair gives the files of a former range the ids of the present one`, {
    skip,
  }, async (t) => {
    const cli = await environmentCli(t)
    const archive = await runnableRootfs(cli.home)
    await done(
      cli,
      'create',
      archive,
      ...['--name', 'play', '--identity', 'mapped', '--storage', storage, '-q'],
    )
    const trees = [await writeOwned(cli, storage)]
    if (storage === 'overlay') {
      await done(cli, 'snapshot', 'play', 'before')
      trees.push(await writeOwned(cli, storage))
    }
    const before = trees.map(entriesOf)
    const path = join(cli.store, 'play', 'env.json')
    const record = JSON.parse(await readFile(path, 'utf8'))
    const former = formerMap(record.ids)
    await makeFormer(cli, trees, {present: record.ids, former, storage})
    await writeFile(path, JSON.stringify({...record, ids: former}))
    assert.notDeepEqual(trees.map(entriesOf), before)

    const refused = await cli.run('run', 'play', 'true')
    assert.equal(refused.status, 125)
    assert.match(refused.stderr, /\n {2}Give the files the present ids: envs doctor --repair play\n/)
    // As a repair that was interrupted has left them.
    if (storage === 'overlay')
      await shiftOwners(host, trees.slice(1), {recorded: former, present: record.ids})
    const {status, stderr} = await cli.run('doctor', '--repair', 'play')
    assert.equal(status, 0, stderr)
    assert.deepEqual(trees.map(entriesOf), before)
    for (const tree of trees) assert.match(await capabilityOf(host, tree), /^01000002000400000{24}$/)
    assert.deepEqual(JSON.parse(await readFile(path, 'utf8')).ids, record.ids)
    await done(cli, 'run', 'play', 'true')
    await cli.run('stop', '-f', 'play')
    if (storage === 'overlay') await done(cli, 'restore', 'play', 'before')
    assert.equal((await cli.run('doctor', '--check')).status, 0)
  })
}

/** Writes files of several owners into the upper layer. @returns Its tree. */
async function writeOwned(cli: EnvironmentCli, storage: 'overlay' | 'directory'): Promise<string> {
  const tree =
    storage === 'directory' ? cli.root('play') : join(cli.data, 'layers', await upperOf(cli), 'tree')
  const {fsetxattr} = systemCalls(host.architecture)
  const script = templatePath('host/files/set-capability.pl')
  const prefix = await treePrefix('mapped', host)
  const ran = await capture([...prefix, 'sh', '-c', WRITE, 'sh', tree, script, String(fsetxattr)])
  assert.equal(ran.status, 0, ran.stderr)
  return tree
}

async function upperOf(cli: EnvironmentCli): Promise<string> {
  return JSON.parse(await readFile(join(cli.store, 'play', 'history.json'), 'utf8')).upper
}

/** The map that this account would have if its second range were its first. */
function formerMap({uids, gids}: IdMap): IdMap {
  assert.ok(second)
  const moved = (blocks: IdMap['uids'], outside: number) =>
    blocks.map((block) => (block.inside === 0 ? block : {...block, outside}))
  return {uids: moved(uids, second.uids.start), gids: moved(gids, second.gids.start)}
}

/** Gives the trees the ids of the second range, and the image's layer too, under the name that it would have. */
async function makeFormer(
  cli: EnvironmentCli,
  trees: readonly string[],
  {present, former, storage}: {present: IdMap; former: IdMap; storage: 'overlay' | 'directory'},
): Promise<void> {
  const change = {recorded: present, present: former}
  await shiftOwners(host, trees, change)
  if (storage === 'directory') return
  const path = join(cli.store, 'play', 'history.json')
  const text = await readFile(path, 'utf8')
  const [base] = JSON.parse(text).layers
  const renamed = `m${'0'.repeat(31)}`
  await shiftOwners(host, [join(cli.data, 'layers', base, 'tree')], change)
  await rename(join(cli.data, 'layers', base), join(cli.data, 'layers', renamed))
  await writeFile(path, text.replaceAll(base, renamed))
}

/** Owners and modes of what was written, as the host has them. */
function entriesOf(tree: string): unknown[] {
  const made = join(tree, 'made')
  const paths = ['.', ...namesOf(made)]
  return paths.map((name) => {
    const {uid, gid, mode} = lstatSync(join(made, name))
    return {name, uid, gid, mode}
  })
}

function namesOf(folder: string): string[] {
  return readdirSync(folder).sort()
}

async function capabilityOf(of: Host, tree: string): Promise<string> {
  const {fsetxattr} = systemCalls(of.architecture)
  const prefix = await treePrefix('mapped', of)
  const path = join(tree, 'made', 'capable')
  return (await capture([...prefix, 'perl', '-e', READ, String(fsetxattr), path])).stdout
}

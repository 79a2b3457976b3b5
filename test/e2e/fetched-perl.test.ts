import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {cp, mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {FRONT_DOOR, runCli, sandboxedCli} from '../support/cli.js'
import {debianRootfs} from '../support/debian-rootfs.js'
import {WITHOUT_NODE} from '../support/front-door.js'
import {IDENTITIES} from '../support/guest.js'
import {packageWithPins} from '../support/pinned-package.js'
import {poorerHost} from '../support/poorer-host.js'
import {canSimulate} from '../support/simulated-host.js'
import {noPerlBase, perlArchive} from '../support/tool-packages.js'

const unsimulated = !(await canSimulate()) && 'no user namespace to hide perl in'

/** A host without Perl, whose archive has it. */
async function givenNone(
  t: TestContext,
  {identity, isHostOld = false}: {identity: 'emulated' | 'mapped'; isHostOld?: boolean},
) {
  const archive = await perlArchive(t, {isHostOld})
  const tidyUps: (() => Promise<void>)[] = []
  const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}
  const behind = await poorerHost(scope, {without: ['perl'], identity})
  const program = await packageWithPins(scope, archive.signer)
  const variables = {...archive.variables, ENVS_KEYRINGS: '', ENVS_IDENTITY: identity}
  const cli = await sandboxedCli(scope, behind, variables, {words: [program]})
  // The environment goes before its folder, and that before its host.
  t.after(async () => {
    await cli.run('rm', '--force', 'play')
    await cli.run('prune', '--yes', '--older-than', '0')
    for (const tidyUp of tidyUps.reverse()) await tidyUp()
  })
  const withoutNode = (...argv: string[]) =>
    runCli([...behind, 'env', `PATH=${WITHOUT_NODE.PATH}`, program, ...argv], {
      ...{env: cli.env, home: cli.home, options: {}},
    })
  return {cli, withoutNode, tools: join(cli.data, 'tools', 'perl')}
}

for (const {identity, skip: unmapped} of IDENTITIES) {
  const skip = unsimulated || unmapped || noPerlBase

  test(`${identity}: a fetched Perl serves a host that has none: create, run, enter, snapshots`, {
    skip,
  }, async (t) => {
    const {cli, withoutNode, tools} = await givenNone(t, {identity})
    const create = async () => cli.run('create', await debianRootfs(), '--name', 'play', '--quiet')
    const refused = await create()
    assert.equal(refused.status, 7)
    assert.match(refused.stderr, /^ {2}Download perl into your own folder: envs doctor --fetch perl$/m)
    const fetched = await cli.run('doctor', '--fetch', 'perl')
    assert.equal(fetched.stdout, `Installed perl 9.9-1 in ${join(tools, '9.9-1')}\n`, fetched.stderr)
    const {checks} = JSON.parse((await cli.run('doctor', '--json')).stdout)
    const {status, evidence} = checks.find(({id}: {id: string}) => id === 'launcher')
    assert.equal(status, 'pass', evidence)
    assert.match(evidence, /tools\/perl\/9\.9-1\/perl\.$/)

    const created = await create()
    assert.equal(created.status, 0, created.stderr)
    const ran = await cli.runWith({input: 'piped\n'}, 'run', 'play', 'sh', '-c', 'id -u; cat; exit 42')
    assert.deepEqual(ran, {status: 42, signal: null, stdout: '0\npiped\n', stderr: ''})
    const entered = await cli.runWith({input: 'touch /root/new; exit 4\n'}, 'enter', 'play')
    assert.deepEqual([entered.status, entered.stderr], [4, ''])
    await cli.run('run', 'play', 'sh', '-c', 'exec sleep 600 >/dev/null 2>&1 &')
    // There the caller of mapped is root, whose sessions Node plans, and whose environments have no layers.
    if (identity === 'mapped') return
    assert.equal((await withoutNode('run', 'play', 'echo', 'by Perl alone')).stdout, 'by Perl alone\n')
    const taken = await cli.run('snapshot', 'play', 'point')
    assert.equal(taken.status, 0, taken.stderr)
    await cli.run('run', 'play', 'rm', '/root/new')
    const diff = await cli.run('diff', 'play', 'point', '--files')
    assert.match(diff.stdout, /\/root\/new/, diff.stderr)
    await cli.run('stop', 'play')
    const restored = await cli.run('restore', 'play', 'point')
    assert.equal(restored.status, 0, restored.stderr)
    assert.equal((await cli.run('run', 'play', 'ls', '/root')).stdout, 'new\n')
  })
}

test("where the host's C library is too old, Perl is started with the one that came with it", {
  skip: unsimulated || noPerlBase,
}, async (t) => {
  const {cli, tools} = await givenNone(t, {identity: 'emulated', isHostOld: true})
  assert.equal((await cli.run('doctor', '--fetch', 'perl')).status, 0)
  const folder = join(tools, '9.9-1')
  assert.deepEqual((await readdir(folder)).sort(), ['lib', 'libc', 'perl', 'perl-base'])
  assert.match(await readFile(join(folder, 'perl'), 'utf8'), /^exec "\$here\/libc\/ld/m)
  await cli.run('create', await debianRootfs(), '--name', 'play', '--quiet')
  assert.deepEqual(await cli.run('run', 'play', 'echo', 'inside'), {
    ...{status: 0, signal: null, stdout: 'inside\n', stderr: ''},
  })
})

test('a Perl in a folder that is named relative to the caller is not executed', {
  skip: unsimulated,
}, async (t) => {
  const words = await poorerHost(t, {without: ['perl'], identity: 'emulated'})
  const {env, home} = await sandboxedCli(t)
  const planted = join(home, 'planted/envs/tools/perl/1')
  await mkdir(planted, {recursive: true})
  await writeFile(join(planted, 'perl'), '#!/bin/sh\n: >executed\n', {mode: 0o755})
  for (const variables of [{XDG_DATA_HOME: 'planted'}, {ENVS_HOME: 'planted/envs'}]) {
    const options = {env: variables}
    await mkdir(join(home, 'planted/envs/data'), {recursive: true})
    await cp(join(home, 'planted/envs/tools'), join(home, 'planted/envs/data/tools'), {recursive: true})
    const ran = await runCli([...words, FRONT_DOOR, 'run', 'play', 'true'], {env, home, options})
    assert.notEqual(ran.status, 0)
    assert.equal(existsSync(join(home, 'executed')), false)
  }
})

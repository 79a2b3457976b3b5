import assert from 'node:assert/strict'
import {mkdir, readdir, symlink} from 'node:fs/promises'
import {delimiter, join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {poorerHost} from '../support/poorer-host.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
import {canSimulate} from '../support/simulated-host.js'
import {temporaryFolder} from '../support/temporary-folder.js'

/** A folder with all that the caller's PATH has, but no Node. */
async function programsWithoutNode(folder: string): Promise<string> {
  const programs = join(folder, 'programs')
  await mkdir(programs)
  for (const place of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of await readdir(place).catch(() => []))
      if (!/^(node|npm|npx)/.test(name))
        await symlink(join(place, name), join(programs, name)).catch(() => undefined)
  return programs
}

const skip = (await canSimulate()) ? false : 'no user namespace to hide perl in'

test('the build with a Node and a Perl of its own runs where there is neither', {skip}, async (t) => {
  const folder = await temporaryFolder(t)
  const make = await capture([process.execPath, '--import', 'tsx', 'scripts/standalone.mjs', folder], {
    cwd: packageRoot(),
    timeout: 300_000,
  })
  assert.equal(make.status, 0, make.stderr)
  await capture(['tar', '--extract', '--file', make.stdout.trim(), '--directory', folder])
  const [name = ''] = (await readdir(folder)).filter((each) => /^envs-.*-linux-[a-z0-9]+$/.test(each))
  const env = {HOME: folder, PATH: await programsWithoutNode(folder), NO_COLOR: '1'}
  const behind = await poorerHost(t, {without: ['perl'], identity: 'emulated'})
  const envs = async (...words: string[]) => {
    const run = await capture([...behind, join(folder, name, 'bin/envs'), ...words], {env, timeout: 60_000})
    assert.equal(run.status, 0, run.stderr)
    return run.stdout
  }
  assert.match(await envs('--version'), /^envs\/\S+ linux-\S+ node-v24\./)
  const {checks} = JSON.parse(await envs('doctor', '--json'))
  const {evidence} = checks.find(({id}: {id: string}) => id === 'launcher')
  assert.ok(evidence.includes(join(folder, name, 'perl/perl')), evidence)
  await envs('create', await runnableRootfs(folder), '--name', 'play', '--quiet', '--identity', 'emulated')
  assert.equal(await envs('run', 'play', 'sh', '-c', 'echo inside'), 'inside\n')
  await envs('stop', 'play')
  await envs('rm', 'play')
})

test('where Perl can not be fetched it is not made, and says why', async (t) => {
  const folder = await temporaryFolder(t)
  const make = await capture([process.execPath, '--import', 'tsx', 'scripts/standalone.mjs', folder], {
    cwd: packageRoot(),
    env: {...process.env, ENVS_MIRROR_DEBIAN_ARCHIVE: 'http://127.0.0.1:1/debian'},
    timeout: 300_000,
  })
  assert.equal(make.status, 1)
  assert.match(make.stderr, /^The archive was not made: .*127\.0\.0\.1:1/m)
  assert.deepEqual(
    (await readdir(folder)).filter((each) => each.endsWith('.tar.gz')),
    [],
  )
})

import assert from 'node:assert/strict'
import {mkdir, readdir, symlink} from 'node:fs/promises'
import {delimiter, join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
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

test('the build with a Node of its own runs where there is none', async (t) => {
  const folder = await temporaryFolder(t)
  const make = await capture([process.execPath, 'scripts/standalone.mjs', folder], {
    cwd: packageRoot(),
    timeout: 300_000,
  })
  assert.equal(make.status, 0, make.stderr)
  await capture(['tar', '--extract', '--file', make.stdout.trim(), '--directory', folder])
  const [name = ''] = (await readdir(folder)).filter((each) => /^envs-.*-linux-[a-z0-9]+$/.test(each))
  const env = {HOME: folder, PATH: await programsWithoutNode(folder), NO_COLOR: '1'}
  const envs = async (...words: string[]) => {
    const run = await capture([join(folder, name, 'bin/envs'), ...words], {env, timeout: 60_000})
    assert.equal(run.status, 0, run.stderr)
    return run.stdout
  }
  assert.match(await envs('--version'), /^envs\/\S+ linux-\S+ node-v24\./)
  await envs('create', await runnableRootfs(folder), '--name', 'play', '--quiet', '--identity', 'emulated')
  assert.equal(await envs('run', 'play', 'sh', '-c', 'echo inside'), 'inside\n')
  await envs('stop', 'play')
  await envs('rm', 'play')
})

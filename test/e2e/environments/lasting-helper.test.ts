import assert from 'node:assert/strict'
import {appendFile, chmod, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {capture} from '../../../src/host/process.js'
import {plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {temporaryFolder} from '../../support/temporary-folder.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const whyMapped = await whyNotMapped()

/** A folder to put in front in PATH: its `unshare` leaves a process with all its descriptors, and is else the host's own. */
async function lastingUnshare(t: TestContext): Promise<string> {
  let folder = ''
  t.after(async () => {
    const pids = (await readFile(join(folder, 'helpers'), 'utf8')).split('\n').filter(Boolean)
    await capture(['kill', '-KILL', ...pids])
  })
  folder = await temporaryFolder(t)
  await appendFile(join(folder, 'helpers'), '')
  const program = `#!/bin/sh
setsid sleep 1000 &
echo $! >>'${join(folder, 'helpers')}'
exec ${openHost().which('unshare')} "$@"
`
  await writeFile(join(folder, 'unshare'), program)
  await chmod(join(folder, 'unshare'), 0o755)
  return folder
}

test('create, show and rm of a mapped environment end beside a helper of unshare that does not', async (t) => {
  if (whyMapped !== undefined) return t.skip(whyMapped)
  const cli = await plainCli(t)
  const rootfs = await tinyRootfs(t)
  const env = {PATH: `${await lastingUnshare(t)}:${cli.env['PATH']}`}
  const run = (...words: string[]) =>
    capture([cli.words[0], ...words], {env: {...cli.env, ...env}, cwd: cli.home})

  const made = await run('create', rootfs.path, '--name', 'play', '--identity', 'mapped', '--json')
  assert.equal(JSON.parse(made.stdout).identity, 'mapped', made.stderr)
  assert.equal(JSON.parse((await run('show', 'play', '--json')).stdout).name, 'play')
  assert.equal((await run('rm', 'play')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

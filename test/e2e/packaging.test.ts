import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {debianRootfs} from '../support/debian-rootfs.js'
import {nodeRelease} from '../support/node-release.js'
import {temporaryFolder} from '../support/temporary-folder.js'
import {runInTerminal} from '../support/terminal.js'
import {tinyRootfs} from '../support/tiny-rootfs.js'

/** Unpacked, without the packages of others: docs/decisions/0028-packaging.md. */
const MOST_OWN_BYTES = 5_600_000

const OF_OTHERS = /^dist\/(library-.*|THIRD-PARTY-NOTICES\.txt)$/

type Packed = {filename: string; files: {path: string; size: number}[]}

async function pack(folder: string, ...flags: string[]): Promise<Packed> {
  const argv = ['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder, ...flags]
  const {status, stdout, stderr} = await capture([...argv, '--cache', join(folder, 'npm')], {
    cwd: packageRoot(),
  })
  assert.equal(status, 0, stderr)
  const [packed]: Packed[] = JSON.parse(stdout)
  assert.ok(packed !== undefined)
  return packed
}

test('our own part of the package stays below its budget', async (t) => {
  const {files} = await pack(await temporaryFolder(t), '--dry-run')
  const own = files.filter(({path}) => !OF_OTHERS.test(path)).reduce((sum, {size}) => sum + size, 0)
  assert.ok(own <= MOST_OWN_BYTES, `${own} bytes`)
})

test('the package installs without a network and without any other package, and works', async (t) => {
  const folder = await temporaryFolder(t)
  const {filename} = await pack(folder)
  const prefix = join(folder, 'prefix')
  const env = {HOME: folder, PATH: process.env['PATH'] ?? '', NO_COLOR: '1'}
  const argv = ['npm', 'install', '--global', '--offline', '--prefix', prefix, '--cache', join(folder, 'npm')]
  const install = await capture([...argv, join(folder, filename)], {env})
  assert.equal(install.status, 0, install.stderr)

  const packages = join(prefix, 'lib/node_modules')
  assert.deepEqual(await readdir(packages), ['envs'])
  assert.equal(existsSync(join(packages, 'envs/node_modules')), false)
  const manual = await readFile(join(prefix, 'share/man/man1/envs.1'), 'utf8')
  assert.equal(manual, await readFile(join(packageRoot(), 'dist/envs.1'), 'utf8'))

  const envs = async (...words: string[]) => {
    const run = await capture([join(prefix, 'bin/envs'), ...words], {env, timeout: 60_000})
    assert.equal(run.status, 0, run.stderr)
    return run.stdout
  }
  const {path} = await tinyRootfs(t)
  await envs('create', path, '--name', 'play', '--quiet', '--identity', 'emulated')
  assert.equal(await envs('list', '--quiet'), 'play\n')
  assert.equal(await envs('__complete', 'enter', ''), 'play\tenvironment\n')
  assert.match(await envs('rm', '--help'), /\$ envs rm NAME/)
  await envs('rm', '--now', 'play')
  assert.equal(await envs('list', '--quiet'), '')
})

/** The oldest that envs runs with, and the line that is maintained longest. */
for (const release of [
  {node: '20.17.0', npm: '10.8.2'},
  {node: '24.21.0', npm: '11.6.2'},
]) {
  test(`Node.js ${release.node} installs the package globally, and runs it, without a network`, async (t) => {
    const folder = await temporaryFolder(t)
    const {filename} = await pack(folder)
    const rootfs = await debianRootfs()
    const env = {
      HOME: folder,
      PATH: `${join(folder, 'prefix/bin')}:${await nodeRelease(release)}:${process.env['PATH']}`,
      npm_config_prefix: join(folder, 'prefix'),
      NO_COLOR: '1',
      // On others a shell frames what is typed.
      TERM: 'dumb',
      XDG_RUNTIME_DIR: '',
    }
    const script = `set -e
npm install --global --silent --offline '${join(folder, filename)}'
envs --version
envs create '${rootfs}' --name play --quiet --identity emulated
envs list --quiet
envs run play sh -c 'echo inside'
envs enter play
envs show play --json >show
envs stop play --quiet
envs rm --now play --quiet
envs list --quiet`
    const {status, screen} = await runInTerminal(
      `cd '${folder}'; exec unshare --map-current-user --net sh -c '${script.replaceAll("'", `'\\''`)}'`,
      {env, typed: [{after: '(play)root@play:~# ', send: 'hostname; exit\r'}]},
    )
    assert.equal(status, 0, screen)
    const [version = '', ...rest] = screen.split('\r\n')
    assert.match(version, new RegExp(`^envs/\\S+ linux-\\S+ node-v${release.node}$`))
    const entered = ['(play)root@play:~# hostname; exit', 'play', 'logout', '']
    assert.deepEqual(rest.slice(-6), ['play', 'inside', ...entered])
    assert.equal(JSON.parse(await readFile(join(folder, 'show'), 'utf8')).name, 'play')
  })
}

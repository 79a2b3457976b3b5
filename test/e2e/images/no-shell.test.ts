import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {type EnvironmentCli, environmentCli} from '../../support/environment-cli.js'
import {dir, layer, put} from '../../support/image-layers.js'
import {writeLayout} from '../../support/image-layout.js'

const withoutProot = openHost().which('proot') === undefined ? 'proot is not installed' : false

async function ok(cli: EnvironmentCli, ...argv: string[]): Promise<string> {
  const {status, stdout, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
  return stdout
}

test('an image without a shell runs its programs, and says so where a shell is wanted', async (t) => {
  const cli = await environmentCli(t)
  // Of the host, and static: it needs nothing of the image.
  const tool = await readFile('/sbin/ldconfig')
  const {folder} = await writeLayout(join(cli.home, 'layout'), {
    tool: {
      layers: [
        layer(
          dir('etc'),
          put('etc/passwd', 'app:x:65532:65532::/:/sbin/nologin\n'),
          put('tool', tool, {mode: 0o755}),
        ),
      ],
      config: {Entrypoint: ['/tool', '--version'], User: 'app'},
    },
  })
  const image = `oci:${folder}:tool`
  await ok(cli, 'create', image, '--name', 'tool', '-q')
  assert.match(await ok(cli, 'run', 'tool'), /^ldconfig \(/)
  const entered = await cli.run('enter', 'tool')
  assert.equal(entered.status, 127)
  assert.match(
    entered.stderr,
    /^envs: The command "\/bin\/sh" was not found in "tool"\.\n {2}It has no shell to enter/,
  )
})

test('proot runs the programs of an image without a shell', {skip: withoutProot}, async (t) => {
  const cli = await environmentCli(t, {ENVS_ENGINE: 'proot', ENVS_STORAGE: 'directory'})
  const tool = await readFile('/sbin/ldconfig')
  const {folder} = await writeLayout(join(cli.home, 'layout'), {
    tool: {
      layers: [layer(dir('etc'), put('tool', tool, {mode: 0o755}))],
      config: {Entrypoint: ['/tool', '--version'], Env: ['WORD=1'], WorkingDir: '/srv'},
    },
  })
  await ok(cli, 'create', `oci:${folder}:tool`, '--name', 'tool', '-q')
  assert.match(await ok(cli, 'run', 'tool'), /^ldconfig \(/)
  assert.match(await ok(cli, 'run', 'tool', '--', '/tool', '--version'), /^ldconfig \(/)
})

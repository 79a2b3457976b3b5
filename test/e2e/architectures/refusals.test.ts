import assert from 'node:assert/strict'
import {chmod, mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {ExitCode} from '../../../src/errors.js'
import {openHost} from '../../../src/host/host.js'
import {environmentCli} from '../../support/environment-cli.js'
import {foreignRootfs, giveQemu} from '../../support/foreign-programs.js'
import {isRegisteredForAll, whyNoTable} from '../../support/foreign-table.js'
import {poorerHost} from '../../support/poorer-host.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const skip = (await whyNoTable()) || ((await isRegisteredForAll()) && 'the machine runs arm64 for everybody')

test('without qemu nothing is made, and it is said how to get it', {skip}, async (t) => {
  const without = ['qemu-aarch64-static', 'qemu-aarch64']
  const words = await poorerHost(t, {without, identity: 'emulated'})
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const ran = await cli.runBehind(words, 'create', path, '--arch', 'arm64', '--json')
  assert.equal(ran.status, ExitCode.host)
  const {error} = JSON.parse(ran.stdout)
  assert.equal(error.code, 'ENVS_NO_EMULATION')
  assert.match(error.suggestions[0], /envs doctor --fetch qemu$/)
  assert.deepEqual(await cli.storeEntries(), [])
})

/** A host whose mount(8) says of one file system what a kernel says that does not have it. */
async function withoutTables(t: TestContext) {
  const cli = await environmentCli(t)
  const programs = join(cli.home, 'programs')
  await mkdir(programs)
  const real = openHost().which('mount')
  const refusal = `case "$*" in *binfmt_misc*) echo 'mount: permission denied.' >&2; exit 32 ;; esac\nexec ${real} "$@"\n`
  await writeFile(join(programs, 'mount'), `#!/bin/sh\n${refusal}`)
  await chmod(join(programs, 'mount'), 0o755)
  return {cli, env: {PATH: `${programs}:${cli.env['PATH']}`}}
}

test('where the kernel gives no table of interpreters, nothing is made and nothing is started', {
  skip,
}, async (t) => {
  const {cli, env} = await withoutTables(t)
  await giveQemu(cli)
  const image = await foreignRootfs()
  const refused = await cli.runWith({env}, 'create', image, '-a', 'arm64', '-n', 'arm', '--json')
  assert.equal(refused.status, ExitCode.host)
  assert.equal(JSON.parse(refused.stdout).error.code, 'ENVS_NO_EMULATION')
  assert.deepEqual(await cli.storeEntries(), [])

  const made = await cli.run('create', image, '-a', 'arm64', '-n', 'arm')
  assert.equal(made.status, 0, made.stderr)
  const ran = await cli.runWith({env}, 'run', 'arm', '--', 'uname', '-m')
  assert.equal(ran.status, ExitCode.guestNotStarted)
  assert.match(ran.stderr, /arm64: a user namespace has no table of interpreters/)
})

test('an image of another processor is found without anything to run it', async (t) => {
  const cli = await environmentCli(t, {ENVS_MIRROR_UBUNTU_BASE: 'http://127.0.0.1:1/'})
  const search = await cli.run('image', 'search', 'noble', '--arch', 'arm64', '--json')
  assert.equal(search.status, 0, search.stderr)
  const {images} = JSON.parse(search.stdout)
  assert.ok(images.length > 0)
  for (const {architecture} of images) assert.equal(architecture, 'arm64')
})

test('a processor that nobody knows is a mistake of usage', async (t) => {
  const cli = await environmentCli(t)
  const ran = await cli.run('create', 'trixie', '--arch', 'm68k')
  assert.equal(ran.status, ExitCode.usage)
  assert.match(ran.stderr, /arm64/)
})

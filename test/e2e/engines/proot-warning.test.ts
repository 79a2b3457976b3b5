import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openHost} from '../../../src/host/host.js'
import {environmentCli} from '../../support/environment-cli.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const skip = openHost().which('proot') === undefined ? 'proot is not installed' : false
const PROOT = {env: {ENVS_ENGINE: 'proot', ENVS_STORAGE: 'directory'}}
const BWRAP = {env: {ENVS_ENGINE: 'bwrap', ENVS_STORAGE: 'directory'}}

const CLAIM = 'proot does not isolate: programs inside can read and change all your files'
const WARNING = `envs: warning: ${CLAIM}.\n`

test('create, import and try by proot say that it is no wall, and by bwrap they do not', {
  skip,
}, async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  const commands = (engine: string) => [
    ['create', path, '-n', `created-${engine}`],
    ['import', path, '-n', `imported-${engine}`],
    // The tree has no shell: its command is never reached.
    ['try', path, '--', 'true'],
  ]
  for (const argv of commands('proot')) {
    const {stderr} = await cli.runWith(PROOT, ...argv, '--quiet')
    assert.equal(stderr.split(WARNING).length, 2, `${argv[0]}: ${stderr}`)
  }
  for (const argv of commands('bwrap')) {
    const {stderr} = await cli.runWith(BWRAP, ...argv, '--quiet')
    assert.doesNotMatch(stderr, /proot/, argv[0])
  }
})

test('show says so of the engine that is in force, in words and in --json', {skip}, async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.runWith(BWRAP, 'create', path, '--identity', 'emulated')
  const line = new RegExp(`^Isolation +${CLAIM}$`, 'm')
  assert.match((await cli.runWith(PROOT, 'show')).stdout, line)
  assert.doesNotMatch((await cli.runWith(BWRAP, 'show')).stdout, /Isolation/)
  const gaps = async (options: typeof PROOT) =>
    JSON.parse((await cli.runWith(options, 'show', '--json')).stdout).isolationGaps
  assert.deepEqual([await gaps(PROOT), await gaps(BWRAP)], [['host-files'], []])
})

import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {poorerHost} from '../../support/poorer-host.js'
import {canSimulate} from '../../support/simulated-host.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const unsimulated = (await canSimulate()) ? false : 'no user namespace to hide perl in'

test('without perl nothing is made or entered, and the error names the command that fetches it', {
  skip: unsimulated,
}, async (t) => {
  const words = await poorerHost(t, {without: ['perl'], identity: 'emulated'})
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--name', 'old', '--identity', 'emulated')
  for (const [argv, status] of [
    [['create', '--json', path, '--name', 'new'], 7],
    [['run', '--json', 'old', 'true'], 125],
  ] as const) {
    const ran = await cli.runBehind(words, ...argv)
    const {error} = JSON.parse(ran.stdout)
    assert.deepEqual([ran.status, error.code], [status, 'ENVS_TOOL_MISSING'])
    assert.match(error.suggestions[0], /: envs doctor --fetch perl$/)
  }
  for (const argv of [
    ['list'],
    ['show', 'old'],
    ['path', 'old'],
    ['ps'],
    ['stop', 'old'],
    ['image', 'list'],
  ]) {
    assert.equal((await cli.runBehind(words, ...argv)).status, 0, argv.join(' '))
  }
  assert.equal((await cli.runBehind(words, 'rename', 'old', 'older')).status, 0)
  assert.equal((await cli.runBehind(words, 'rm', 'older')).status, 0)
  assert.deepEqual(await cli.storeEntries(), [])
})

import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {seededRootfs} from '../../support/seeded-image.js'

test('what is done right after a session waits until the environment has ended', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('create', await seededRootfs(cli, 'emulated'), '--name', 'play', '--identity', 'emulated')
  const session = async () => assert.equal((await cli.run('run', 'play', 'touch', '/root/mine')).status, 0)
  for (const command of [
    ['snapshot', 'play', 'before'],
    ['undo', 'play'],
    ['rename', 'play', 'played'],
    ['rename', 'played', 'play'],
    ['rm', 'play'],
  ]) {
    if (command[1] === 'play') await session()
    const ran = await cli.run(...command)
    assert.equal(ran.status, 0, ran.stderr)
  }
})

test('an environment in which something runs is still refused', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('create', await seededRootfs(cli, 'emulated'), '--name', 'play', '--identity', 'emulated')
  await cli.run('run', 'play', 'sh', '-c', 'sleep 100 >/dev/null 2>&1 </dev/null &')
  assert.equal((await cli.run('rm', 'play')).status, 4)
  assert.equal((await cli.run('rm', '--force', 'play')).status, 0)
})

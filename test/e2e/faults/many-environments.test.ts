import assert from 'node:assert/strict'
import {WITH_TRASH} from '../../support/cli.js'
import {copyEnvironment} from '../../support/many-environments.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {done, givenEnvironment} from '../../support/store-at-rest.js'
import {storeState, writeUpper} from '../../support/store-state.js'

const COUNT = 300

test('300 environments are listed, checked, pruned and removed', async (t) => {
  const cli = await givenEnvironment(t, 'env-1', {variables: WITH_TRASH})
  writeUpper(cli.data, 'env-1', 'marker', 'of each')
  await done(cli, 'clone', 'env-1', 'env-2', '-q')
  const names = Array.from({length: COUNT}, (_, index) => `env-${index + 1}`)
  await copyEnvironment(cli.data, 'env-2', names.slice(2))
  const json = async (...argv: string[]) => {
    const {status, stdout, stderr} = await cli.run(...argv, '--json')
    assert.equal(status, 0, stdout + stderr)
    return JSON.parse(stdout)
  }
  const listed = async (...flags: string[]): Promise<string[]> =>
    (await json('list', ...flags)).map(({name}: {name: string}) => name).sort()

  assert.deepEqual(await listed(), [...names].sort())
  const {problems, ...checked} = await json('doctor', '--check')
  assert.deepEqual([checked.environments, problems], [COUNT, []])
  await done(cli, 'prune', '--yes', '--older-than', '0')
  await done(cli, 'clone', 'env-300', 'one-more', '-q')
  assert.deepEqual(await listed(), [...names, 'one-more'].sort())

  await done(cli, 'rm', '--yes', ...names, 'one-more')
  assert.deepEqual(await listed(), [])
  assert.deepEqual(await listed('--removed'), [...names, 'one-more'].sort())
  await done(cli, 'recover', 'env-150')
  await done(cli, 'prune', '--removed', '--yes')
  assert.deepEqual(await listed('--removed'), [])
  const {environments, leftovers} = storeState(cli.data)
  assert.deepEqual([Object.keys(environments), leftovers], [['env-150'], []])
})

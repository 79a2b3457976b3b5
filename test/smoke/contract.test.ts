import {test} from 'node:test'
import {ExitCode} from '../../src/errors.js'
import {sandboxedCli, WITH_TRASH} from '../support/cli.js'
import {commandTree, outputFields} from '../support/contract.js'
import {assertPinned} from '../support/pinned.js'

test('commands, flags, exit statuses, settings and fields of --json are those that were promised', async (t) => {
  const cli = await sandboxedCli(t, [], WITH_TRASH)
  const {stdout} = await cli.run('config', 'list', '--json')
  await assertPinned('contract.json', {
    commands: await commandTree(),
    exitStatuses: ExitCode,
    settings: JSON.parse(stdout),
    output: await outputFields(),
  })
})

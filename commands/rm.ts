import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, yesFlag} from '../src/cli/flags.js'
import {Args} from '../src/cli/parse.js'
import {describeStaleShims} from '../src/cli/views/text.js'
import {removeEnvironments} from '../src/environments/remove.js'
import type {RemovedResult} from '../src/environments/results.js'
import {shimsOf} from '../src/environments/shims.js'

export default class Rm extends EnvsCommand {
  static override summary = 'Remove environments and all their files.'
  static override description =
    `Never asks for confirmation. Refuses an environment that is running, unless --force is given. Follows no link \
and touches nothing outside the environment; shared folders stay.`
  static override usage = 'rm NAME... [FLAG...]'
  static override aliases = ['remove', 'delete']
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> --force play test-1 test-2',
  ]
  static override args = {
    names: Args.string({description: 'names of the environments', ignoreStdin: true, required: true}),
  }
  static override flags = {force: forceFlag('stop running environments first'), yes: yesFlag()}

  async run(): Promise<RemovedResult> {
    const {argv, flags} = await this.parse(Rm)
    const host = this.openHost()
    const removed = await removeEnvironments(host, argv.map(String), {
      force: flags.force,
      onRemoved: (name) => this.note(`Removed ${name}.`),
    })
    for (const name of removed) {
      const left = describeStaleShims(await shimsOf(host, name))
      if (left !== undefined) this.note(left)
    }
    return {removed}
  }
}

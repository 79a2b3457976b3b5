import {Args} from '@oclif/core'
import {removeEnvironments} from '../src/environments/remove.js'
import {forceFlag, yesFlag} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'

export default class Rm extends EnvsCommand {
  static override summary = 'Remove environments and all that is in them.'
  static override description =
    `Never asks: a name that was typed is meant. What runs is refused, or stopped first with --force. No link is \
followed and nothing outside the environment is touched, shared folders included.`
  static override usage = 'rm NAME... [FLAG...]'
  static override hiddenAliases = ['remove', 'delete']
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> --force play test-1 test-2',
  ]
  static override args = {
    names: Args.string({description: 'names of the environments', ignoreStdin: true, required: true}),
  }
  static override flags = {force: forceFlag('stop what runs first'), yes: yesFlag()}

  async run(): Promise<{removed: string[]}> {
    const {argv, flags} = await this.parse(Rm)
    const removed = await removeEnvironments(this.openHost(), argv.map(String), {
      force: flags.force,
      onRemoved: (name) => this.note(`Removed ${name}.`),
    })
    return {removed}
  }
}

import {EnvsCommand} from '../src/cli/command.js'
import {nameArg, newNameFlag} from '../src/cli/flags.js'
import {recoverEnvironment} from '../src/environments/recover.js'
import type {RecoverResult} from '../src/environments/results.js'

export default class Recover extends EnvsCommand {
  static override summary = 'Bring a removed environment back.'
  static override description =
    `The environment comes back with all its files and snapshots. Of several with the same name: the one that was removed \
last. envs list --removed lists candidates, and until when each is kept.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --name play-before',
  ]
  static override args = {name: nameArg('name that the environment had')}
  static override flags = {name: newNameFlag('name from now on [default: the name that it had]')}

  async run(): Promise<RecoverResult> {
    const {args, flags} = await this.parse(Recover)
    const recovered = await recoverEnvironment(this.openHost(), args.name, {as: flags.name})
    const {name, from} = recovered
    this.note(name === from ? `Recovered ${name}.` : `Recovered ${from} as ${name}.`)
    return recovered
  }
}

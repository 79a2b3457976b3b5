import {keepTry} from '../src/environments/keep.js'
import type {KeepResult} from '../src/environments/results.js'
import {nameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {Args} from '../src/ui/definitions.js'

export default class Keep extends EnvsCommand {
  static override summary = 'Keep what envs try would throw away.'
  static override description =
    'For an hour after it has ended; which ones there are: envs list --all. It gets NAME, and stays until it is removed.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play try-2',
  ]
  static override args = {
    name: nameArg('name it gets'),
    try: Args.string({description: 'which one; the one that ended last when left out', ignoreStdin: true}),
  }

  async run(): Promise<KeepResult> {
    const {args} = await this.parse(Keep)
    const {name, from} = await keepTry(this.openHost(), {to: args.name, from: args.try})
    this.note(`Kept ${from} as ${name}.`)
    return {name, from}
  }
}

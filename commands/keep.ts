import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Args} from '../src/cli/parse.js'
import type {KeepResult} from '../src/environments/results.js'
import {keepTry} from '../src/environments/try/keep.js'

export default class Keep extends EnvsCommand {
  static override summary = 'Keep a throwaway environment of envs try.'
  static override description =
    `Possible within an hour after the end of envs try; envs list --all lists candidates. The environment gets NAME \
and stays until it is removed.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play try-2',
  ]
  static override args = {
    name: nameArg('new name of the environment'),
    try: Args.string({
      description: 'throwaway environment [default: the one that ended last]',
      ignoreStdin: true,
    }),
  }

  async run(): Promise<KeepResult> {
    const {args} = await this.parse(Keep)
    const {name, from} = await keepTry(this.openHost(), {to: args.name, from: args.try})
    this.note(`Kept ${from} as ${name}.`)
    return {name, from}
  }
}

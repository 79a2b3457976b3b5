import {EnvsCommand} from '../src/cli/command.js'
import {Args} from '../src/cli/parse.js'
import {templateText} from '../src/host/paths.js'

export default class Completion extends EnvsCommand {
  static override summary = 'Print the completion script of a shell.'
  static override description =
    `Completes commands, flags and their values, and names of environments, snapshots, images and settings. Add the \
line below to the file that your shell reads at its start: ~/.bashrc, ~/.zshrc (after compinit) or \
~/.config/fish/config.fish. Or save the script where the shell looks for completions. The script asks envs at each \
Tab, so it need not be updated with envs.`
  static override examples = [
    'eval "$(<%= config.bin %> <%= command.id %> bash)"',
    'eval "$(<%= config.bin %> <%= command.id %> zsh)"',
    '<%= config.bin %> <%= command.id %> fish | source',
  ]
  static override args = {
    shell: Args.string({
      description: 'name of the shell',
      ignoreStdin: true,
      options: ['bash', 'zsh', 'fish'],
      required: true,
    }),
  }

  async run(): Promise<{shell: string; script: string}> {
    const {args} = await this.parse(Completion)
    const script = await templateText(`completion/envs.${args.shell}`)
    this.print(script.trimEnd())
    return {shell: args.shell, script}
  }
}

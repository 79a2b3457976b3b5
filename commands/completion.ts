import {templateText} from '../src/host/paths.js'
import {EnvsCommand} from '../src/ui/command.js'
import {Args} from '../src/ui/definitions.js'

export default class Completion extends EnvsCommand {
  static override summary = 'Print the script that makes a shell complete command lines of envs.'
  static override description =
    `Commands, flags and their values, and the names of environments, snapshots, images and settings. Add the line to the \
file that the shell reads when it starts: ~/.bashrc, ~/.zshrc (behind compinit), ~/.config/fish/config.fish. Or keep what \
is printed where the shell looks for such scripts: it need not be made anew for a newer envs, for it asks envs at each Tab.`
  static override examples = [
    'eval "$(<%= config.bin %> <%= command.id %> bash)"',
    'eval "$(<%= config.bin %> <%= command.id %> zsh)"',
    '<%= config.bin %> <%= command.id %> fish | source',
  ]
  static override args = {
    shell: Args.string({
      description: 'which shell',
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

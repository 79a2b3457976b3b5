import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {disableAutostart, enableAutostart, showAutostart} from '../src/environments/boot/autostart.js'
import type {AutostartResult} from '../src/environments/boot/results.js'

export default class Autostart extends EnvsCommand {
  static override summary = 'Start an environment together with the host.'
  static override description =
    `on: a unit of your user manager of systemd (~/.config/systemd/user) starts the environment when you log in, and with \
--linger when the host boots; without a user manager, a line @reboot of your crontab does. off: removes both. Without \
STATE: shows what is set.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play on --linger',
    '<%= config.bin %> <%= command.id %> play off',
  ]
  static override args = {
    name: nameArg(),
    state: Args.string({
      description: 'on or off [default: show it]',
      ignoreStdin: true,
      options: ['on', 'off'],
    }),
  }
  static override flags = {
    linger: Flags.boolean({
      description: 'have the user manager run without a login, for all your units',
    }),
  }

  async run(): Promise<AutostartResult> {
    const {args, flags} = await this.parse(Autostart)
    const host = this.openHost()
    if (args.state === 'off') {
      const done = await disableAutostart(host, args.name)
      this.note(`${done.name} no longer starts with the host.`)
      return done
    }
    const isOn = args.state === 'on'
    const shown = isOn
      ? await enableAutostart(host, args.name, {linger: flags.linger})
      : await showAutostart(host, args.name)
    this.print(describe(shown))
    if (shown.autostart === 'systemd' && shown.lingers !== true)
      this.note(`To start it at boot, before a login: envs autostart ${shown.name} on --linger`)
    if (isOn && shown.autostart === 'systemd')
      this.note(`To start it now: systemctl --user start envs@${shown.name}`)
    return shown
  }
}

function describe({name, autostart, lingers}: AutostartResult): string {
  switch (autostart) {
    case 'systemd':
      return `${name} starts ${lingers === true ? 'when the host boots' : 'when you log in'}: envs@${name}.service of your user manager.`
    case 'crontab':
      return `${name} starts when the host boots: a line of your crontab.`
    case null:
      return `${name} does not start with the host.`
  }
}

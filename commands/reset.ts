import {readSettings} from '../src/config/settings.js'
import type {WentBack} from '../src/environments/go-back.js'
import {reset} from '../src/environments/restore.js'
import {forceFlag, nameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {describeKept} from '../src/ui/snapshot-wording.js'

export default class Reset extends EnvsCommand {
  static override summary = 'Make an environment what its image is.'
  static override description =
    'Nothing is lost: what is there now is kept as a snapshot. Name and settings of the environment stay.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: nameArg()}
  static override flags = {force: forceFlag('stop it first when it runs')}

  async run(): Promise<WentBack> {
    const {args, flags} = await this.parse(Reset)
    const host = this.openHost()
    const settings = await readSettings(host)
    const isSynced = settings.value('durable') !== 'never'
    const went = await reset(host, args.name, {force: flags.force, isSynced})
    this.note(`${went.name} is reset to its image.`)
    this.note(describeKept(went))
    return went
  }
}

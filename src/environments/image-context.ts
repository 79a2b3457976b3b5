import {scopedKeyrings} from '../config/kinds.js'
import type {Settings} from '../config/settings.js'
import type {Host} from '../host/host.js'
import type {ImageContext, ImageNotice} from '../images/sources/source.js'

type Options = {
  readonly signal: AbortSignal
  readonly allowSha1?: boolean
  readonly onNotice?: (notice: ImageNotice) => void
}

/** Where images are looked up for this host and user, and by what they are judged. @throws {@link invalidSettingError} */
export function imageContext(
  {environment, now}: Pick<Host, 'environment' | 'now'>,
  settings: Settings,
  options: Options,
): ImageContext {
  return {
    mirrors: {
      ubuntuBase: settings.value('mirrors.ubuntuBase'),
      ubuntuCloud: settings.value('mirrors.ubuntuCloud'),
      lxc: settings.value('mirrors.lxc'),
    },
    keyrings: scopedKeyrings(settings.value('keyrings')),
    environment,
    now: now(),
    ...options,
  }
}

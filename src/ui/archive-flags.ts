import {Flags} from './definitions.js'

/** What an image that is made of packages is to hold. */
export function archiveFlags() {
  return {
    include: Flags.string({
      description: 'additional packages, separated by commas',
      helpValue: 'PACKAGE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    variant: Flags.string({
      description: 'required packages, or important ones too [default: minbase]',
      options: ['minbase', 'standard'],
    }),
    components: Flags.string({
      description: 'components of the APT repository [default: main]',
      helpValue: 'COMPONENT',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'allow-expired': Flags.boolean({
      description: 'accept an APT repository that is expired or lacks security',
    }),
  }
}

type Wish = {
  readonly variant: 'minbase' | 'standard' | undefined
  readonly include: readonly string[]
  readonly components: readonly string[]
  readonly allowExpired: boolean
}

/** The same flags as they were parsed. */
export function archiveWish(flags: {
  include?: readonly string[] | undefined
  variant?: string | undefined
  components?: readonly string[] | undefined
  'allow-expired'?: boolean | undefined
}): Wish {
  const {variant, include = [], components = []} = flags
  return {
    variant: variant === 'minbase' || variant === 'standard' ? variant : undefined,
    include,
    components,
    allowExpired: flags['allow-expired'] === true,
  }
}

// What the command ends with: one code for each kind of failure, so that a script can tell them apart.

/** The kinds, and their codes. 127 is zkCli's too; where zkCli ends with 1, a code here says why. */
export const EXIT_CODES = {
  done: 0,
  different: 1,
  usage: 2,
  'no-connection': 3,
  'no-znode': 4,
  exists: 5,
  'wrong-version': 6,
  'not-empty': 7,
  'not-allowed': 8,
  refused: 9,
  'hold-lost': 10,
  failed: 11,
  'not-runnable': 126,
  'no-such-command': 127,
  interrupted: 130,
} as const;

export type FailureKind = Exclude<keyof typeof EXIT_CODES, 'done'>;

/** What each code means, for the help and the manual. */
export const EXIT_CODE_TEXTS: { readonly [K in keyof typeof EXIT_CODES]: string } = {
  done: 'done',
  different: 'diff found a difference',
  usage: 'the command line, a path, an ACL or a setting makes no sense',
  'no-connection':
    'no server answered, or the connection was lost before the answer came (a write may have been carried out)',
  'no-znode': 'a znode does not exist',
  exists: 'a znode exists already',
  'wrong-version': 'the version is another one by now',
  'not-empty': 'a znode with children cannot be deleted, an ephemeral one cannot have any',
  'not-allowed':
    'an ACL, also of some of many znodes; wrong credentials; or a protected context without --yes',
  refused: 'the server refused for another reason: a quota, a read-only server, no reconfig',
  'hold-lost': 'the session expired, or a lock or the leadership was lost',
  failed: 'anything else',
  'not-runnable': 'the command of lock or elect may not be executed',
  'no-such-command': 'there is no such command, of zebu, or for lock or elect to run',
  interrupted: 'interrupted by Ctrl-C',
};

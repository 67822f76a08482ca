import { describe, expect, test } from 'vitest';
import { CfgSyntaxError, parseZooCfg } from '../../src/config/zoo-cfg.ts';

const pairs = (source: string) => parseZooCfg(source).map(({ key, value }) => [key, value]);

describe('the syntax of zoo.cfg', () => {
  test.each<[string, string, string[][]]>([
    ['equals sign', 'tickTime=2000', [['tickTime', '2000']]],
    ['colon', 'tickTime: 2000', [['tickTime', '2000']]],
    ['blanks only', 'tickTime   2000', [['tickTime', '2000']]],
    ['tab and form feed', 'tickTime\t\f2000', [['tickTime', '2000']]],
    ['blanks around the sign', '  tickTime \t = \t 2000  ', [['tickTime', '2000']]],
    ['only the first sign separates', 'a=b=c:d', [['a', 'b=c:d']]],
    ['a blank, then a sign', 'a =b', [['a', 'b']]],
    ['two signs: the second is value', 'a==b', [['a', '=b']]],
    ['no value', 'a', [['a', '']]],
    ['no key', '=b', [['', 'b']]],
    ['comments', '# a=1\n  ! b=2\nc=3', [['c', '3']]],
    ['a hash later in the line is value', 'a=1 # one', [['a', '1 # one']]],
    ['blank lines', '\n \n\t\na=1\n\n', [['a', '1']]],
    [
      'carriage returns',
      'a=1\r\nb=2\rc=3',
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ],
    ],
    [
      'a continued line',
      'a=1,\\\n    2,\\\n    3\nb=4',
      [
        ['a', '1,2,3'],
        ['b', '4'],
      ],
    ],
    ['a continued key', 'cli\\\n  entPort=2181', [['clientPort', '2181']]],
    ['what follows a continued line is no comment', 'a=1\\\n#2', [['a', '1#2']]],
    [
      'a blank line ends a continued one',
      'a=1\\\n\nb=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a comment does not go on', '# a=1\\\nb=2', [['b', '2']]],
    [
      'two backslashes are one, and do not continue',
      'a=1\\\\\nb=2',
      [
        ['a', '1\\'],
        ['b', '2'],
      ],
    ],
    ['three backslashes continue', 'a=1\\\\\\\n2', [['a', '1\\2']]],
    ['continued into the end of the file', 'a=1\\', [['a', '1']]],
    ['escaped separators', 'a\\=b\\:c\\ d=1', [['a=b:c d', '1']]],
    ['escapes of the value', 'a=\\\\x\\ty\\u00e9\\q', [['a', '\\x\tyéq']]],
    ['escaped blanks at the ends are trimmed all the same', 'a=\\ 1\\n', [['a', '1']]],
    [
      'a Windows path loses its single backslashes',
      'dataDir=C:\\data\\zk',
      [['dataDir', 'C:datazk']],
    ],
    ['any character', 'dataDir=/données/日本', [['dataDir', '/données/日本']]],
    ['a byte order mark', '\uFEFFa=1', [['a', '1']]],
    [
      'duplicates stay, in order',
      'a=1\na=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['nothing', '', []],
  ])('%s', (_, source, expected) => {
    expect(pairs(source)).toEqual(expected);
  });

  test('an entry knows the line where it begins', () => {
    expect(parseZooCfg('# one\n\na=1\\\n  2\nb=3').map((entry) => entry.line)).toEqual([3, 5]);
  });

  test('a broken unicode escape names its line', () => {
    expect(() => parseZooCfg('a=1\nb=\\u12')).toThrow(CfgSyntaxError);
    try {
      parseZooCfg('a=1\nb=\\u12');
    } catch (error) {
      expect((error as CfgSyntaxError).line).toBe(2);
    }
  });
});

/* plain_form.h - the bytes of plain data. For plain*.c only.
 *
 *   value  = nil | false | true | null | number double | string u32 bytes
 *          | (table | array) { key value }* end
 *
 * Numbers are little-endian; nil is allowed as the whole only.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PLAIN_FORM_H
#define TWL_PLAIN_FORM_H

enum {
    PLAIN_NIL = 'z',
    PLAIN_FALSE = 'f',
    PLAIN_TRUE = 't',
    PLAIN_NULL = '0',
    PLAIN_NUMBER = 'n',
    PLAIN_STRING = 's',
    PLAIN_TABLE = '{',
    PLAIN_ARRAY = '[',
    PLAIN_END = '}'
};

#endif

/* A plugin of QEMU's user mode that counts the instructions of a program:
 *   gcc -shared -fPIC -O2 -o count.so count_instructions.c
 *   qemu-aarch64 -plugin ./count.so -d plugin PROGRAM
 * Debian does not package qemu-plugin.h, so this declares what it uses: version 1 of the interface.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
typedef struct qemu_plugin_tb block;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, block *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(block *, int, void *, uint64_t);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const block *);
extern void qemu_plugin_outs(const char *);

enum { ADD = 0 };

EXPORT int qemu_plugin_version = 1;

static uint64_t count;

/* Whenever this block runs, its length is added. */
static void translated(plugin_id id, block *translation)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(translation, ADD, &count,
                                             qemu_plugin_tb_n_insns(translation));
}

static void ended(plugin_id id, void *data)
{
    char line[64];
    (void)id, (void)data;
    snprintf(line, sizeof line, "%" PRIu64 "\n", count);
    qemu_plugin_outs(line);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}

/* Folders of tests: gone with all that is in them. */
#ifndef NAVETTE_TESTS_FOLDER_H
#define NAVETTE_TESTS_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "file.h"

static inline void remove_tree(const char *path)
{
    struct file_names names;
    struct err e = {0};
    struct file_info info;
    uv_fs_t request;

    if (!file_stat(path, &info, &e) || !info.is_directory) {
        uv_fs_unlink(NULL, &request, path, NULL);
        uv_fs_req_cleanup(&request);
        return;
    }
    assert_true(file_list(path, 100, &names, &e));
    for (uint32_t i = 0; i < names.n; i++) {
        char one[PATH_BYTES_MAX];

        assert_true(path_join(one, path, names.names[i], &e));
        remove_tree(one);
    }
    file_names_close(&names);
    uv_fs_rmdir(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
}

#endif

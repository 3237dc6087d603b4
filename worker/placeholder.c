/* keeps the layer non-empty until its first source lands */
extern int pgconvoy_worker_placeholder;
int pgconvoy_worker_placeholder;

/* keeps the layer non-empty until its first source lands */
extern int pgconvoy_coordinator_placeholder;
int pgconvoy_coordinator_placeholder;

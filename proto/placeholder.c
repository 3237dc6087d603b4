/* keeps the layer non-empty until its first source lands */
extern int pgconvoy_proto_placeholder;
int pgconvoy_proto_placeholder;
